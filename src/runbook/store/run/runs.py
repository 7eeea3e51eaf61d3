"""Runs: creating, claiming, finishing, and querying them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from runbook.core.audit import NewAuditEvent
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.run import Relation, Run
from runbook.core.run_files import NO_FILES, RunFiles
from runbook.core.status import RunStatus
from runbook.core.storable import storable
from runbook.core.times import Millis
from runbook.core.waiting import LockWait
from runbook.store.audit import record
from runbook.store.blobs import keep_files
from runbook.store.conditions import IS_ACTIVE
from runbook.store.dialects.portable import one_of
from runbook.store.documents import keep_document
from runbook.store.models import (
    Activity,
    Claimed,
    Created,
    Finished,
    HistoryHead,
    IdempotencyKey,
    NewEvent,
    NewRun,
    QueueStats,
    RunFilter,
    RunPage,
    StoredDocument,
)
from runbook.store.reading import RUN_BY_ID, RUN_COLUMNS, run_by_id, runs_of
from runbook.store.rows import Component
from runbook.store.run.activity import activity_of
from runbook.store.run.children import active_children, tell_parent
from runbook.store.run.claiming import Claim
from runbook.store.run.creation import (
    check_birth,
    check_parent,
    check_rerun,
    check_room,
    insert_run,
    remember,
    replayed,
    run_created_by,
)
from runbook.store.run.endings import End, end_run
from runbook.store.run.input_search import page_by_inputs
from runbook.store.run.listing import cursor_at, read_page
from runbook.store.runbooks import count_revision, keep_history_head
from runbook.store.tables import runs
from runbook.store.workers import accepting

MAX_PAGE = 200

_RESEAL = (
    sa.update(runs)
    .where(
        runs.c.id == sa.bindparam("run_id"),
        runs.c.worker_id == sa.bindparam("owner"),
        runs.c.finished_at.is_(None),
    )
    .values(sealed_inputs=sa.bindparam("sealed"))
)
_REQUEST_CANCEL = (
    sa.update(runs)
    .where(
        runs.c.id == sa.bindparam("run_id"),
        runs.c.finished_at.is_(None),
        runs.c.cancel_at.is_(None),
    )
    .values(
        cancel_at=sa.bindparam("at"),
        cancel_by=sa.bindparam("by"),
        # It no longer waits: the worker that claims it finishes it.
        status=sa.case(
            (runs.c.status == RunStatus.WAITING.value, RunStatus.QUEUED.value),
            else_=runs.c.status,
        ),
        waiting=None,
        waiting_lock=None,
    )
)
_RUNS = sa.select(*RUN_COLUMNS)
_SEALED = sa.select(runs.c.sealed_inputs).where(runs.c.id == sa.bindparam("run_id"))
_KNOWN = sa.select(runs.c.id)
_CHILDREN = _RUNS.where(runs.c.parent_id == sa.bindparam("run_id")).order_by(runs.c.seq)
_RERUNS = _RUNS.where(runs.c.related_id == sa.bindparam("run_id")).order_by(runs.c.seq)
_ACTIVE_RUNS = _RUNS.where(IS_ACTIVE).order_by(runs.c.seq)
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
_COUNT = sa.select(sa.func.count()).select_from(runs)
_QUEUE = (
    sa.select(runs.c.status, sa.func.count(), sa.func.min(runs.c.seq))
    .where(IS_ACTIVE, runs.c.purpose.is_(None))
    .group_by(runs.c.status)
)
_CREATED_AT = sa.select(runs.c.created_at).where(runs.c.seq == sa.bindparam("of_seq"))
# The newest lost runs, of which the one that ended last may be older. Their number bounds the time.
_LOST = (
    sa.select(runs.c.finished_at)
    .where(
        runs.c.status == RunStatus.LOST.value,
        runs.c.finished_at.is_not(None),
        runs.c.purpose.is_(None),
    )
    .order_by(runs.c.seq.desc())
    .limit(100)
    .subquery()
)
_LAST_LOST = sa.select(sa.func.max(_LOST.c.finished_at))
_SUMMARY = sa.select(runs.c.summary).where(runs.c.id == sa.bindparam("run_id"))


class Runs(Component):
    def create(
        self,
        run: NewRun,
        events: Sequence[NewEvent],
        document: StoredDocument,
        *,
        max_queued: int | None = None,
        idempotency: IdempotencyKey | None = None,
        history: HistoryHead | None = None,
        files: RunFiles = NO_FILES,
        audit: NewAuditEvent | None = None,
    ) -> Created:
        """Create a run, or return the one that the same request created in the last 24 hours.

        `max_queued` limits the number of queued root runs, those with a purpose and the others
        separately; None means no limit. A run created as
        finished is on disk on return; `history` is the history's head after its entry. `audit` is
        recorded with a new run, in the same transaction. Raises IdempotencyKeyReusedError,
        QueueFullError, AlreadyRerunError if another rerun came first, RunEndedError if the
        calling run has ended, and NotFoundError if the earlier run, or a content that `files` lack,
        is not stored anymore.
        """
        check_birth(run, document)

        def work(connection: sa.Connection) -> Created:
            now = self._clock()
            known = replayed(connection, idempotency, now)
            if known is not None:
                return Created(known, replayed=True)
            check_rerun(connection, run)
            check_room(connection, run, max_queued)
            keep_document(connection, document, now)
            made = insert_run(connection, run, events, run.created_at or now)
            keep_files(connection, made.seq, files, now)
            remember(connection, idempotency, run.id, now)
            if not tell_parent(connection, made, now):
                check_parent(connection, run)
            record(connection, audit, now)
            if history is not None:
                keep_history_head(connection, run.runbook.ref, history)
            elif run.status.terminal:
                count_revision(connection)
            return Created(made, replayed=False)

        return self._database.write(work, durable=run.status.terminal)

    def created_by(self, idempotency: IdempotencyKey | None) -> Run | None:
        """The run that the same request already created. Raises IdempotencyKeyReusedError."""
        if idempotency is None:
            return None
        return self._database.read(lambda c: run_created_by(c, idempotency, self._clock()))

    def claim(
        self,
        worker_id: str,
        *,
        root_slots: int,
        form_slots: int = 0,
        expected: bool = False,
        only: str | None = None,
        queues: Collection[str] | None = None,
    ) -> Claimed | None:
        """Claim the oldest queued run that this worker may execute; None if there is none.

        Root runs need one of `root_slots`, those with a purpose one of `form_slots`; child runs use
        their parent's. A run assigned to a
        worker can only be claimed by that worker. Appends the `started` event. A run with a cancel
        request is claimed like any other, so that its worker finishes it.

        `only` restricts the claim to the run with this ID and to those assigned to this worker.
        `queues` restricts it to runs of these queues, runs assigned to this worker, and runs that
        only need to be finished.

        The run's locks are acquired with it. If one is held, a run that waits gets the status
        `waiting` and an event that names the holder, and the next run is tried. For a run that
        doesn't wait, or would deadlock, `busy` is the holder.

        `expected` says that there probably is a run. Otherwise, the write lock is only taken if a
        read finds one, as most polls find nothing. Uses several transactions if runs have to wait.
        Raises UnclaimableRunError if a damaged record keeps the next run from being claimed.
        """
        claim = Claim(worker_id, root_slots, form_slots, only, queues)
        if not expected and not self._database.read(claim.sees_one):
            return None

        def work(connection: sa.Connection) -> Claimed | LockWait | None:
            return claim.attempt(connection, self._clock())

        with claim.naming_damage():
            tried = self._database.write(work)
            while isinstance(tried, LockWait):
                tried = self._database.write(work)
        return tried

    def reseal(self, run_id: str, worker_id: str, sealed: bytes) -> None:
        """Replace the encrypted inputs of a run that this worker executes."""
        given = {"run_id": run_id, "owner": worker_id, "sealed": sealed}
        self._database.write(lambda connection: connection.execute(_RESEAL, given))

    def request_cancel(self, run_id: str, by: str, audit: NewAuditEvent | None = None) -> Run:
        """Request cancellation; the first request counts. Finished runs stay unchanged.

        A run that waits for a lock is requeued, so that it is claimed and finished. `audit` is
        recorded with the first request. Raises NotFoundError.
        """

        def work(connection: sa.Connection) -> Run:
            now = self._clock()
            asked = {"run_id": run_id, "at": now, "by": storable(by)}
            if connection.execute(_REQUEST_CANCEL, asked).rowcount:
                record(connection, audit, now)
            return run_by_id(connection, run_id)

        return self._database.write(work)

    def finish(
        self,
        run_id: str,
        outcome: Outcome,
        events: Sequence[NewEvent],
        *,
        worker_id: str | None = None,
        history: HistoryHead | None = None,
        durable: bool = True,
        finished_at: Millis | None = None,
        duration_ms: int | None = None,
    ) -> Finished:
        """Finish a run, with its last events, of which `done` is the last.

        `worker_id` is the owner that finishes it; None skips the ownership check. `finished_at`
        defaults to the clock, `duration_ms` to the time since the start. `durable` returns only
        when it is on disk. The encrypted inputs are wiped. Its locks are released, and the runs
        waiting for them requeued. Raises ConflictError if it has already finished, can't finish
        like this or has another owner, NotFoundError.
        """
        if not outcome.status.terminal or not events or events[-1].type is not EventType.DONE:
            raise ValueError("a run ends with a terminal status and done as its last event")

        def work(connection: sa.Connection) -> Finished:
            end = End(outcome, events, finished_at or self._clock(), duration_ms)
            return end_run(connection, run_id, end, worker_id=worker_id, history=history)

        return self._database.write(work, durable=durable)

    def get(self, run_id: str) -> Run | None:
        found = self._select(RUN_BY_ID, {"run_id": run_id})
        return found[0] if found else None

    def sealed(self, run_id: str) -> bytes | None:
        """The encrypted inputs of an active run; None if there are none."""
        return self._database.read(lambda c: c.scalar(_SEALED, {"run_id": run_id}))

    def page(
        self, wanted: RunFilter | None = None, cursor: str | None = None, limit: int = 50
    ) -> RunPage:
        """The matching runs, newest first, at most `limit` (1 to 200).

        `cursor` is an earlier page's `next_cursor`; new runs don't shift the pages. With a filter
        for inputs, a page may hold fewer runs and still have a next one. Raises RequestError for an
        invalid cursor.
        """
        size = max(1, min(limit, MAX_PAGE))
        if wanted is not None and wanted.inputs:
            return self._database.read(lambda c: page_by_inputs(c, wanted, cursor, size))
        found = self._database.read(lambda c: read_page(c, wanted or RunFilter(), cursor, size + 1))
        page = tuple(found[:size])
        return RunPage(page, cursor_at(page[-1].seq) if len(found) > size else None)

    def count(self) -> int:
        return self._database.read(lambda c: c.scalar(_COUNT) or 0)

    def summary(self, run_id: str) -> str | None:
        """The Markdown summary that a run's script wrote."""
        return self._database.read(lambda c: c.scalar(_SUMMARY, {"run_id": run_id}))

    def children(self, run_id: str) -> list[Run]:
        """The runs that this run's script started, oldest first."""
        return self._select(_CHILDREN, {"run_id": run_id})

    def active_children(self, run_id: str) -> tuple[str, ...]:
        """The IDs of those that haven't ended."""
        return self._database.read(lambda c: active_children(c, run_id))

    def reruns(self, run_id: str) -> list[Run]:
        """The runs that retried, resumed or undid this one, oldest first."""
        return self._select(_RERUNS, {"run_id": run_id})

    def below(self, run_id: str, most: int) -> list[Run]:
        """Up to `most` descendants of a run, oldest first: of each generation the latest."""

        def work(connection: sa.Connection) -> list[Run]:
            found: dict[str, Run] = {}
            parents = {run_id}
            while parents and len(found) < most:
                children = _RUNS.where(one_of(runs.c.parent_id, parents))
                latest = children.order_by(runs.c.seq.desc()).limit(most - len(found))
                level = {run.id: run for run in runs_of(connection.execute(latest))}
                parents = level.keys() - found.keys()
                found |= level
            return sorted(found.values(), key=lambda run: run.seq)

        return self._database.read(work)

    def known(self, run_ids: Iterable[str]) -> frozenset[str]:
        """The subset of these runs that still exists."""
        statement = _KNOWN.where(one_of(runs.c.id, run_ids))
        return self._database.read(lambda c: frozenset(c.scalars(statement)))

    def active(self) -> list[Run]:
        """All active runs, oldest first."""
        return self._select(_ACTIVE_RUNS, {})

    def activity(self) -> Activity:
        """The active runs, for clients that poll."""
        return self._database.read(activity_of)

    def last_outputs(self, ref: str) -> Mapping[str, object] | None:
        """The outputs of a runbook's last successful run.

        Dry runs and undo runs don't count. None if there is no such run.
        """
        return self._database.read(lambda c: c.scalar(_LAST_OUTPUTS, {"wanted_ref": ref}))

    def queue_stats(self) -> QueueStats:
        def work(connection: sa.Connection) -> QueueStats:
            counts = {status: (n, first) for status, n, first in connection.execute(_QUEUE)}
            queued, oldest = counts.get(RunStatus.QUEUED.value, (0, None))
            return QueueStats(
                queued=queued,
                oldest_queued_at=connection.scalar(_CREATED_AT, {"of_seq": oldest}),
                running=counts.get(RunStatus.RUNNING.value, (0, None))[0],
                waiting=counts.get(RunStatus.WAITING.value, (0, None))[0],
                accepting=accepting(connection, self._clock()),
            )

        return self._database.read(work)

    def last_lost_at(self) -> Millis | None:
        """When the last run was recorded as `lost`; None without any."""

        def work(connection: sa.Connection) -> Millis | None:
            at: Millis | None = connection.scalar(_LAST_LOST)
            return at

        return self._database.read(work)

    def _select(self, statement: sa.Select[Any], values: dict[str, Any]) -> list[Run]:
        return self._database.read(
            lambda connection: runs_of(connection.execute(statement, values))
        )
