"""One row per runbook: its last run and its history head."""

from __future__ import annotations

import sqlalchemy as sa

from runbook.core.audit import NewAuditEvent
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.store.audit import record
from runbook.store.dialects.portable import insert
from runbook.store.models import HistoryHead, LastRun, LastRuns
from runbook.store.rows import Component
from runbook.store.tables import counters, runbooks

# Text, which only SQLite takes in a column of numbers, is greater than every number.
_MOST = 2**62
_ROWS = runbooks.alias("rows")
# More than any revision that a row has, also if the counter was damaged.
_HIGHEST = sa.select(sa.func.coalesce(sa.func.max(_ROWS.c.revision), 0)).where(
    _ROWS.c.revision < _MOST
)
_HIGHER = _HIGHEST.scalar_subquery() + 1
_NEXT = sa.case(
    (counters.c.value.between(_HIGHEST.scalar_subquery(), _MOST), counters.c.value + 1),
    else_=_HIGHER,
)
_COUNT = insert(counters).values(name="revision", value=_HIGHER)
_COUNT_REVISION = _COUNT.on_conflict_do_update(
    index_elements=["name"], set_={"value": _NEXT}
).returning(counters.c.value)
REVISION = sa.select(counters.c.value).where(counters.c.name == "revision")

_ROW = insert(runbooks)
_NEW = _ROW.excluded
# Heads may arrive out of order: the longer chain wins.
_LONGER = _NEW.history_n > sa.func.coalesce(runbooks.c.history_n, 0)
_HISTORY = {
    "revision": _NEW.revision,
    "history_n": sa.case((_LONGER, _NEW.history_n), else_=runbooks.c.history_n),
    "history_digest": sa.case((_LONGER, _NEW.history_digest), else_=runbooks.c.history_digest),
}
_LAST = {
    "last_run_id": _NEW.last_run_id,
    "last_status": _NEW.last_status,
    "last_finished_at": _NEW.last_finished_at,
    "last_success_at": sa.func.coalesce(_NEW.last_success_at, runbooks.c.last_success_at),
    "last_by": _NEW.last_by,
}
_RESET = {name: _NEW[name] for name in ("revision", "history_n", "history_digest")}
_KEEP_RUN = _ROW.on_conflict_do_update(index_elements=["ref"], set_=_LAST | _HISTORY)
_KEEP_HEAD = _ROW.on_conflict_do_update(index_elements=["ref"], set_=_HISTORY)
_RESET_HEAD = _ROW.on_conflict_do_update(index_elements=["ref"], set_=_RESET)
_HEAD = sa.select(runbooks.c.history_n, runbooks.c.history_digest).where(
    runbooks.c.ref == sa.bindparam("ref")
)
_CHANGED = (
    sa.select(runbooks)
    .where(runbooks.c.revision > sa.bindparam("since"), runbooks.c.revision < _MOST)
    .order_by(runbooks.c.revision)
)


def count_revision(connection: sa.Connection) -> int:
    """The next revision. Call it as late as possible in a transaction: it orders the commits.

    A reader of a revision has therefore seen all earlier ones.
    """
    return int(connection.execute(_COUNT_REVISION).scalar_one())


def keep_last_run(connection: sa.Connection, run: Run, history: HistoryHead | None) -> None:
    """Record `run` as the runbook's last finished run.

    Dry runs, undo runs and runs for choices are ignored: they say nothing about its state.
    """
    if run.request.purpose is not None:
        return
    if not (run.request.dry_run or run.relation is Relation.UNDO):
        success = run.times.finished_at if run.status is RunStatus.SUCCEEDED else None
        last = {
            "last_run_id": run.id,
            "last_status": run.status.value,
            "last_finished_at": run.times.finished_at,
            "last_success_at": success,
            "last_by": run.requester.subject,
        }
        _keep(connection, _KEEP_RUN, run.ref, {**last, **_head(history)})
    elif history is not None:
        keep_history_head(connection, run.ref, history)
    else:
        count_revision(connection)


def keep_history_head(connection: sa.Connection, ref: str, history: HistoryHead) -> None:
    _keep(connection, _KEEP_HEAD, ref, _head(history))


class Runbooks(Component):
    def last_runs(self, since_revision: int = 0) -> LastRuns:
        """The runbooks that changed after `since_revision`, to update a cache."""

        def work(connection: sa.Connection) -> LastRuns:
            rows = connection.execute(_CHANGED, {"since": since_revision}).mappings()
            changed = tuple(_last_run_of(row) for row in rows)
            return LastRuns(changed, changed[-1].revision if changed else since_revision)

        return self._database.read(work)

    def history_head(self, ref: str) -> HistoryHead | None:
        """The last known entry of the runbook's history."""
        row = self._database.read(lambda c: c.execute(_HEAD, {"ref": ref}).mappings().first())
        return None if row is None else head_of(row)

    def reset_history(
        self, ref: str, head: HistoryHead | None, audit: NewAuditEvent | None = None
    ) -> None:
        """Accept a different history for the runbook, even a shorter one."""

        def work(connection: sa.Connection) -> None:
            record(connection, audit, self._clock())
            _keep(connection, _RESET_HEAD, ref, _head(head))

        self._database.write(work, durable=True)


def _keep(
    connection: sa.Connection, statement: sa.Insert, ref: str, values: dict[str, object]
) -> None:
    revision = count_revision(connection)
    connection.execute(statement, {"ref": ref, "revision": revision, **values})


def _head(history: HistoryHead | None) -> dict[str, object]:
    return {
        "history_n": history.n if history else None,
        "history_digest": history.digest if history else None,
    }


def _last_run_of(known: sa.RowMapping) -> LastRun:
    return LastRun(
        ref=str(known["ref"]),
        revision=known["revision"],
        last_run_id=_text(known["last_run_id"]),
        last_status=_STATUSES.get(known["last_status"]),
        last_finished_at=_time(known["last_finished_at"]),
        last_success_at=_time(known["last_success_at"]),
        last_by=_text(known["last_by"]),
        history=head_of(known),
    )


def head_of(known: sa.RowMapping) -> HistoryHead | None:
    """The history head in a row with its columns."""
    n, digest = known["history_n"], known["history_digest"]
    return HistoryHead(n, digest) if isinstance(n, int) and isinstance(digest, str) else None


_STATUSES = {status.value: status for status in RunStatus}


def _text(value: object) -> str | None:
    """None also for a damaged value: the next run of the runbook replaces it."""
    return value if isinstance(value, str) else None


def _time(value: object) -> int | None:
    return value if isinstance(value, int) else None
