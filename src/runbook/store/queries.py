"""Reading runs: one, a page, a tree."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from runbook.core.run import ACTIVE, Holder, LockWant, Relation, Run, RunStatus
from runbook.errors import RequestError
from runbook.store.models import (
    ActiveRun,
    Activity,
    QueueStats,
    RunFilter,
    RunPage,
    StoredDocument,
    Visibility,
)
from runbook.store.rows import ACTIVE_STATUSES, RUN_BY_ID, RUN_COLUMNS, StorePart, run_of
from runbook.store.tables import documents, locks, runbooks, runs
from runbook.store.workers import accepting

MAX_PAGE = 200

_RUNS = sa.select(*RUN_COLUMNS)
_SEALED = sa.select(runs.c.sealed_inputs).where(runs.c.id == sa.bindparam("run_id"))
_KNOWN = sa.select(runs.c.id)
_CHILDREN = _RUNS.where(runs.c.parent_id == sa.bindparam("run_id")).order_by(runs.c.seq)
_FOLLOWERS = _RUNS.where(runs.c.related_id == sa.bindparam("run_id")).order_by(runs.c.seq)
_TREE = _RUNS.where(
    sa.or_(runs.c.id == sa.bindparam("run_id"), runs.c.root_id == sa.bindparam("run_id"))
).order_by(runs.c.seq)
_ACTIVE_RUNS = _RUNS.where(
    runs.c.finished_at.is_(None), runs.c.status.in_(ACTIVE_STATUSES)
).order_by(runs.c.seq)
_ACTIVITY = (
    # In the order of `ActiveRun`.
    sa.select(
        runs.c.id,
        runs.c.ref,
        runs.c.status,
        runs.c.subject,
        runs.c.created_at,
        runs.c.started_at,
        runs.c.root_id,
        runs.c.waiting,
    )
    .where(runs.c.finished_at.is_(None), runs.c.status.in_(ACTIVE_STATUSES))
    .order_by(runs.c.seq)
)
_REVISION = sa.select(
    sa.func.coalesce(sa.select(sa.func.max(runs.c.seq)).scalar_subquery(), 0)
    + sa.func.coalesce(sa.select(sa.func.max(runbooks.c.revision)).scalar_subquery(), 0)
)
_DOCUMENT = sa.select(documents.c.content).where(documents.c.digest == sa.bindparam("wanted"))
_LAST_OUTPUTS = (
    sa.select(runs.c.outputs)
    .where(
        runs.c.ref == sa.bindparam("wanted_ref"),
        runs.c.status == RunStatus.SUCCEEDED.value,
        runs.c.dry_run.is_(False),
        sa.or_(runs.c.relation.is_(None), runs.c.relation != Relation.UNDO.value),
    )
    .order_by(runs.c.seq.desc())
    .limit(1)
)
_QUEUE = (
    sa.select(runs.c.status, sa.func.count(), sa.func.min(runs.c.seq))
    .where(runs.c.finished_at.is_(None), runs.c.status.in_(ACTIVE_STATUSES))
    .group_by(runs.c.status)
)
_HOLDERS = (
    # In the order of `Holder`.
    sa.select(locks.c.name, runs.c.id, runs.c.ref, runs.c.subject, locks.c.taken_at)
    .where(locks.c.name == sa.bindparam("lock"), runs.c.seq == locks.c.run_seq)
    .order_by(locks.c.taken_at, locks.c.run_seq)
)
_CREATED_AT = sa.select(runs.c.created_at).where(runs.c.seq == sa.bindparam("of_seq"))


def _ancestors() -> sa.Select[int]:
    # UNION, not UNION ALL: it ends also where parents were ever to form a ring.
    line = (
        sa.select(runs.c.id, runs.c.parent_id)
        .where(runs.c.id == sa.bindparam("run_id"))
        .cte("line", recursive=True)
    )
    parent = runs.alias("parent")
    line = line.union(
        sa.select(parent.c.id, parent.c.parent_id).where(parent.c.id == line.c.parent_id)
    )
    return sa.select(sa.literal(1)).where(line.c.id == sa.bindparam("ancestor_id")).limit(1)


_DESCENDS = _ancestors()


class RunReads(StorePart):
    def run(self, run_id: str) -> Run | None:
        found = self._select(RUN_BY_ID, {"run_id": run_id})
        return found[0] if found else None

    def sealed(self, run_id: str) -> bytes | None:
        """The encrypted inputs of a run that has not ended; None where there are none."""
        return self._database.read(lambda c: c.scalar(_SEALED, {"run_id": run_id}))

    def runs(
        self, wanted: RunFilter | None = None, cursor: str | None = None, limit: int = 50
    ) -> RunPage:
        """The wanted runs, newest first, at most `limit` (1 to 200) of them.

        `cursor` is an earlier page's `next_cursor`; runs that began since do not shift the
        pages. Raises RequestError for a cursor that never was one.
        """
        size = max(1, min(limit, MAX_PAGE))
        statement = _RUNS.where(*_conditions(wanted or RunFilter()))
        if cursor is not None:
            statement = statement.where(runs.c.seq < _seq_of(cursor))
        found = self._select(statement.order_by(runs.c.seq.desc()).limit(size + 1), {})
        page = tuple(found[:size])
        return RunPage(page, _cursor_of(page[-1]) if len(found) > size else None)

    def children(self, run_id: str) -> list[Run]:
        """The runs that this run's script started, oldest first."""
        return self._select(_CHILDREN, {"run_id": run_id})

    def followers(self, run_id: str) -> list[Run]:
        """The runs that retried, resumed or undid this one, oldest first."""
        return self._select(_FOLLOWERS, {"run_id": run_id})

    def tree(self, root_id: str) -> list[Run]:
        """A root run and all below it, oldest first."""
        return self._select(_TREE, {"run_id": root_id})

    def known_runs(self, run_ids: Iterable[str]) -> frozenset[str]:
        """Those of these runs that are still kept."""
        statement = _KNOWN.where(_one_of(runs.c.id, run_ids))
        return self._database.read(lambda c: frozenset(c.scalars(statement)))

    def descends(self, run_id: str, ancestor_id: str) -> bool:
        """Whether a run is `ancestor_id` itself or below it. False for unknown runs."""
        asked = {"run_id": run_id, "ancestor_id": ancestor_id}
        return self._database.read(lambda c: c.scalar(_DESCENDS, asked)) is not None

    def active_runs(self) -> list[Run]:
        """All runs that have not ended, oldest first."""
        return self._select(_ACTIVE_RUNS, {})

    def activity(self) -> Activity:
        """What goes on now, for those who look again and again."""

        def work(connection: sa.Connection) -> Activity:
            active = tuple(_active_run_of(row) for row in connection.execute(_ACTIVITY))
            return Activity(active, connection.scalar(_REVISION) or 0)

        return self._database.read(work)

    def document(self, digest: str) -> StoredDocument | None:
        content = self._database.read(lambda c: c.scalar(_DOCUMENT, {"wanted": digest}))
        return None if content is None else StoredDocument(digest, content)

    def holder(self, want: LockWant) -> Holder | None:
        """Who keeps others from a lock just now, the first of several; None while it is free."""

        def work(connection: sa.Connection) -> Holder | None:
            held = [Holder(*row) for row in connection.execute(_HOLDERS, {"lock": want.name})]
            return held[0] if len(held) >= want.capacity else None

        return self._database.read(work)

    def last_outputs(self, ref: str) -> Mapping[str, object] | None:
        """The outputs of a runbook's last run that succeeded and was meant.

        Dry runs and runs that undid another one do not count. None where there was no run.
        """
        return self._database.read(lambda c: c.scalar(_LAST_OUTPUTS, {"wanted_ref": ref}))

    def queue_stats(self) -> QueueStats:
        def work(connection: sa.Connection) -> QueueStats:
            counts = {row[0]: (row[1], row[2]) for row in connection.execute(_QUEUE)}
            queued, oldest = counts.get(RunStatus.QUEUED.value, (0, None))
            return QueueStats(
                queued=queued,
                oldest_queued_at=connection.scalar(_CREATED_AT, {"of_seq": oldest}),
                running=counts.get(RunStatus.RUNNING.value, (0, None))[0],
                waiting=counts.get(RunStatus.WAITING.value, (0, None))[0],
                accepting=accepting(connection, self._clock()),
            )

        return self._database.read(work)

    def _select(self, statement: sa.Select[Any], values: dict[str, Any]) -> list[Run]:
        return self._database.read(
            lambda connection: [run_of(row) for row in connection.execute(statement, values)]
        )


def _active_run_of(row: Sequence[Any]) -> ActiveRun:
    *known, root_id, waiting = row
    run_id, ref, status, by, created_at, started_at = known
    holder = None if waiting is None else Holder(**waiting)
    return ActiveRun(run_id, ref, RunStatus(status), by, created_at, started_at, root_id, holder)


def _conditions(wanted: RunFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [*_visible(wanted.visible), *_named(wanted)]
    if wanted.statuses:
        conditions.append(runs.c.status.in_(sorted(wanted.statuses)))
    if wanted.statuses and wanted.statuses <= ACTIVE:
        # Says nothing new, but lets the index of the active runs be used.
        conditions.append(runs.c.finished_at.is_(None))
    if wanted.since is not None:
        conditions.append(runs.c.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(runs.c.created_at < wanted.until)
    for column, value in (
        (runs.c.subject, wanted.subject),
        (runs.c.parent_id, wanted.parent_id),
        (runs.c.relation, wanted.relation),
        (runs.c.dry_run, wanted.dry_run),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.root_id is not None:
        conditions.append(sa.or_(runs.c.root_id == wanted.root_id, runs.c.id == wanted.root_id))
    if wanted.text:
        conditions.append(_holding(wanted.text))
    return conditions + _active(wanted.active)


def _named(wanted: RunFilter) -> list[sa.ColumnElement[bool]]:
    asked = ((runs.c.id, wanted.ids), (runs.c.ref, wanted.refs))
    return [_one_of(column, values) for column, values in asked if values is not None]


def _active(active: bool | None) -> list[sa.ColumnElement[bool]]:
    if active is None:
        return []
    if not active:
        return [runs.c.finished_at.is_not(None)]
    # The statuses say nothing new, but let the index of the active runs be used.
    return [runs.c.finished_at.is_(None), runs.c.status.in_(ACTIVE_STATUSES)]


def _visible(visible: Visibility) -> list[sa.ColumnElement[bool]]:
    if visible.everything:
        return []
    mine = [] if visible.subject is None else [runs.c.subject == visible.subject]
    return [sa.or_(_one_of(runs.c.ref, visible.refs), *mine)]


def _one_of(column: sa.Column[str], values: Iterable[str]) -> sa.ColumnElement[bool]:
    """One parameter however many values: a caller may see thousands of runbooks."""
    listed = sa.func.json_each(json.dumps(sorted(values))).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def _holding(text: str) -> sa.ColumnElement[bool]:
    columns = (runs.c.ref, runs.c.name, runs.c.reason, runs.c.id)
    return sa.or_(*(column.icontains(text, autoescape=True) for column in columns))


def _cursor_of(run: Run) -> str:
    return base64.urlsafe_b64encode(str(run.seq).encode()).decode().rstrip("=")


def _seq_of(cursor: str) -> int:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        seq = int(base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii"))
    except (ValueError, binascii.Error):
        raise RequestError("The cursor is not one that a list of runs gave.") from None
    if not 0 <= seq < 2**63:
        raise RequestError("The cursor is not one that a list of runs gave.")
    return seq
