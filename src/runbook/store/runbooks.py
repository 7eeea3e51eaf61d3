"""The row of each runbook: its last run, and where its history stands."""

from __future__ import annotations

import sqlalchemy as sa

from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.store.models import HistoryHead, LastRun, LastRuns
from runbook.store.rows import Component
from runbook.store.tables import runbooks

_other = runbooks.alias("other")
_NEXT_REVISION = sa.select(
    sa.func.coalesce(sa.func.max(_other.c.revision), 0) + 1
).scalar_subquery()
_THIS = runbooks.c.ref == sa.bindparam("of_ref")


def _kept(name: str) -> sa.ColumnElement[object]:
    """The new value, or where there is none the one that stands there."""
    return sa.func.coalesce(sa.bindparam(f"new_{name}"), runbooks.c[name])


# A later entry's head may arrive before an earlier one's: the longer chain stays.
_LONGER = sa.bindparam("new_history_n", type_=sa.BigInteger) > sa.func.coalesce(
    runbooks.c.history_n, 0
)
_HISTORY = {
    "history_n": sa.case(
        (_LONGER, sa.bindparam("new_history_n", type_=sa.BigInteger)), else_=runbooks.c.history_n
    ),
    "history_digest": sa.case(
        (_LONGER, sa.bindparam("new_history_digest")), else_=runbooks.c.history_digest
    ),
}
_LAST = {
    "last_run_id": sa.bindparam("new_last_run_id"),
    "last_status": sa.bindparam("new_last_status"),
    "last_finished_at": sa.bindparam("new_last_finished_at"),
    "last_success_at": _kept("last_success_at"),
    "last_by": sa.bindparam("new_last_by"),
}
_ENSURE = sa.insert(runbooks).values(ref=sa.bindparam("of_ref"), revision=_NEXT_REVISION)
_KEEP_RUN = sa.update(runbooks).where(_THIS).values(revision=_NEXT_REVISION, **_LAST, **_HISTORY)
_KEEP_HEAD = sa.update(runbooks).where(_THIS).values(revision=_NEXT_REVISION, **_HISTORY)
_RESET_HEAD = (
    sa.update(runbooks)
    .where(_THIS)
    .values(
        revision=_NEXT_REVISION,
        history_n=sa.bindparam("new_history_n"),
        history_digest=sa.bindparam("new_history_digest"),
    )
)
_CHANGED = (
    sa.select(runbooks)
    .where(runbooks.c.revision > sa.bindparam("since"))
    .order_by(runbooks.c.revision)
)


def keep_last_run(connection: sa.Connection, run: Run, history: HistoryHead | None) -> None:
    """Record that `run` is the last that ended of its runbook.

    One that only looked, or that reversed another one, says nothing about the runbook's state.
    """
    if run.request.dry_run or run.relation is Relation.UNDO:
        if history is not None:
            keep_history_head(connection, run.ref, history)
        return
    success = run.times.finished_at if run.status is RunStatus.SUCCEEDED else None
    _update(
        connection,
        _KEEP_RUN,
        {
            "of_ref": run.ref,
            "new_last_run_id": run.id,
            "new_last_status": run.status.value,
            "new_last_finished_at": run.times.finished_at,
            "new_last_success_at": success,
            "new_last_by": run.requester.subject,
            **_head(history),
        },
    )


def keep_history_head(connection: sa.Connection, ref: str, history: HistoryHead) -> None:
    _update(connection, _KEEP_HEAD, {"of_ref": ref, **_head(history)})


class Runbooks(Component):
    def last_runs(self, since_revision: int = 0) -> LastRuns:
        """The runbooks that changed after `since_revision`, for a cache that catches up."""

        def work(connection: sa.Connection) -> LastRuns:
            rows = connection.execute(_CHANGED, {"since": since_revision}).mappings()
            changed = tuple(_last_run_of(row) for row in rows)
            return LastRuns(changed, changed[-1].revision if changed else since_revision)

        return self._database.read(work)

    def reset_history(self, ref: str, head: HistoryHead | None) -> None:
        """Accept another history as the runbook's, also a shorter one."""
        values = {"of_ref": ref, **_head(head)}
        self._database.write(lambda connection: _update(connection, _RESET_HEAD, values))


def _update(connection: sa.Connection, statement: sa.Update, values: dict[str, object]) -> None:
    if connection.execute(statement, values).rowcount == 0:
        connection.execute(_ENSURE, {"of_ref": values["of_ref"]})
        connection.execute(statement, values)


def _head(history: HistoryHead | None) -> dict[str, object]:
    return {
        "new_history_n": history.n if history else None,
        "new_history_digest": history.digest if history else None,
    }


def _last_run_of(known: sa.RowMapping) -> LastRun:
    n, digest = known["history_n"], known["history_digest"]
    status = known["last_status"]
    return LastRun(
        ref=known["ref"],
        revision=known["revision"],
        last_run_id=known["last_run_id"],
        last_status=RunStatus(status) if status else None,
        last_finished_at=known["last_finished_at"],
        last_success_at=known["last_success_at"],
        last_by=known["last_by"],
        history=HistoryHead(n, digest) if n is not None else None,
    )
