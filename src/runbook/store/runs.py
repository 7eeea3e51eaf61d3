"""How a run begins and goes on: created, claimed, asked to end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from runbook.core.document import DEFAULT_QUEUE
from runbook.core.run import EventType, Holder, Millis, Run, RunStatus
from runbook.errors import IdempotencyKeyReusedError, QueueFullError
from runbook.store.children import tell_parent
from runbook.store.history import keep_history_head
from runbook.store.locks import may_wait, park, take_locks
from runbook.store.models import (
    Claimed,
    Created,
    HistoryHead,
    IdempotencyKey,
    NewEvent,
    NewRun,
    StoredDocument,
)
from runbook.store.rows import (
    INSERT_EVENTS,
    RUN_COLUMNS,
    LogEnd,
    StorePart,
    event_rows,
    row_of,
    run_by_id,
    run_of,
    storable,
)
from runbook.store.tables import documents, idempotency_keys, runs

IDEMPOTENCY_MS = 24 * 3600 * 1000

_QUEUED = sa.and_(runs.c.finished_at.is_(None), runs.c.status == RunStatus.QUEUED.value)
_BEFORE_START = (RunStatus.QUEUED.value, RunStatus.WAITING.value)
_ROOTS_BEFORE_START = sa.select(sa.func.count()).select_from(
    sa.select(runs.c.seq)
    .where(
        runs.c.finished_at.is_(None),
        runs.c.status.in_(_BEFORE_START),
        runs.c.parent_id.is_(None),
    )
    .limit(sa.bindparam("most"))
    .subquery()
)
_KEY = sa.and_(
    idempotency_keys.c.caller == sa.bindparam("of_caller"),
    idempotency_keys.c.key == sa.bindparam("of_key"),
)
_KNOWN_KEY = sa.select(
    idempotency_keys.c.request_digest, idempotency_keys.c.created_at, *RUN_COLUMNS
).where(_KEY, runs.c.id == idempotency_keys.c.run_id)
_FORGET_KEY = sa.delete(idempotency_keys).where(_KEY)
_INSERT_KEY = sa.insert(idempotency_keys)
_HAS_DOCUMENT = sa.select(sa.literal(1)).where(documents.c.digest == sa.bindparam("wanted"))
_DOCUMENT = sa.select(documents.c.content).where(documents.c.digest == sa.bindparam("wanted"))
_INSERT_DOCUMENT = sa.insert(documents)
_INSERT_RUN = sa.insert(runs)

_MAY_CLAIM = sa.and_(
    _QUEUED,
    # A run whose end was asked for needs no slot: it is only ended.
    sa.or_(
        runs.c.parent_id.is_not(None),
        runs.c.cancel_at.is_not(None),
        sa.bindparam("root_slots", type_=sa.Integer) > 0,
    ),
    sa.or_(runs.c.assigned_to.is_(None), runs.c.assigned_to == sa.bindparam("claimer")),
)
# Of the run with this id, and of those that nobody else may take: it calls them.
_OF_ONE = sa.or_(runs.c.assigned_to == sa.bindparam("claimer"), runs.c.id == sa.bindparam("only"))
_OF_QUEUES = sa.or_(
    # A run whose end was asked for, or that nobody else may take, waits in no queue.
    runs.c.cancel_at.is_not(None),
    runs.c.assigned_to.is_not(None),
    sa.func.coalesce(runs.c.queue, DEFAULT_QUEUE).in_(sa.bindparam("queues", expanding=True)),
)


@dataclass(frozen=True, slots=True)
class _Claiming:
    """How to look for a run that may be claimed, and how to claim it."""

    look: sa.Select[int]
    claim: sa.Update


def _claiming(*conditions: sa.ColumnElement[bool]) -> _Claiming:
    look = sa.select(runs.c.seq).where(_MAY_CLAIM, *conditions).order_by(runs.c.seq).limit(1)
    claim = (
        sa.update(runs)
        .where(runs.c.seq == look.scalar_subquery(), _QUEUED)
        .values(
            status=RunStatus.RUNNING.value,
            worker_id=sa.bindparam("claimer"),
            started_at=sa.bindparam("at"),
            last_event=runs.c.last_event + 1,
        )
        .returning(*RUN_COLUMNS, runs.c.sealed_inputs)
    )
    return _Claiming(look, claim)


_CLAIMING = _claiming()
_CLAIMING_ONE = _claiming(_OF_ONE)
_CLAIMING_OF_QUEUES = _claiming(_OF_QUEUES)
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
        # It waits for nothing any more: whoever claims it ends it.
        status=sa.case(
            (runs.c.status == RunStatus.WAITING.value, RunStatus.QUEUED.value),
            else_=runs.c.status,
        ),
        waiting=None,
    )
)


class RunWrites(StorePart):
    def create_run(
        self,
        run: NewRun,
        events: Sequence[NewEvent],
        document: StoredDocument,
        *,
        max_queued: int | None = None,
        idempotency: IdempotencyKey | None = None,
        history: HistoryHead | None = None,
    ) -> Created:
        """Record a run, or give back the one that the same request made in the last 24 hours.

        `max_queued` bounds the root runs that wait; None does not. A run born ended is on the
        disk before this returns; `history` is where its entry left the runbook's history.
        Raises IdempotencyKeyReusedError, QueueFullError.
        """
        _check_birth(run, document)

        def work(connection: sa.Connection) -> Created:
            now = self._clock()
            known = _replayed(connection, idempotency, now)
            if known is not None:
                return Created(known, replayed=True)
            _check_room(connection, run, max_queued)
            _keep_document(connection, document, now)
            made = _insert_run(connection, run, events, run.created_at or now)
            if history is not None:
                keep_history_head(connection, run.ref, history)
            _remember(connection, idempotency, run.id, now)
            tell_parent(connection, made, now)
            return Created(made, replayed=False)

        return self._database.write(work, durable=run.status.terminal)

    def is_known(self, idempotency: IdempotencyKey | None) -> bool:
        """Whether this very request has made a run: `create_run` would give that one back."""
        if idempotency is None:
            return False
        key = {"of_caller": idempotency.caller, "of_key": idempotency.key}
        row = self._database.read(lambda c: c.execute(_KNOWN_KEY, key).first())
        return (
            row is not None
            and row[0] == idempotency.request_digest
            and row[1] > self._clock() - IDEMPOTENCY_MS
        )

    def claim(
        self,
        worker_id: str,
        *,
        root_slots: int,
        expected: bool = False,
        only: str | None = None,
        queues: Collection[str] | None = None,
    ) -> Claimed | None:
        """Take the oldest queued run that this worker may execute; None where there is none.

        Root runs need one of `root_slots`; child runs use their parent's. A run assigned to a
        worker goes to that worker only. The `started` event is appended. A run with a request
        to cancel is claimed like any other, so that its worker ends it.

        With `only`, no run is taken but the one with this id, and those assigned to this worker.
        With `queues`, those of other queues are left, unless they are assigned to this worker or
        only to be ended.

        The run's locks are taken with it. Where one is held, a run that waits gets the status
        `waiting` and the event that says for whom, and the next run is tried. Of a run that does
        not wait, or would wait for ever, `busy` names the holder.

        `expected` says that there is probably one. Otherwise the write lock is taken only where
        a look finds one: most polls find nothing. Several transactions where runs have to wait.
        """
        given: dict[str, Any] = {"claimer": worker_id, "root_slots": root_slots}
        claiming = _CLAIMING
        if only is not None:
            claiming, given["only"] = _CLAIMING_ONE, only
        elif queues is not None:
            claiming, given["queues"] = _CLAIMING_OF_QUEUES, sorted(queues)
        if not expected and self._database.read(lambda c: c.scalar(claiming.look, given)) is None:
            return None

        def work(connection: sa.Connection) -> Claimed | Holder | None:
            now = self._clock()
            row = connection.execute(claiming.claim, {**given, "at": now}).first()
            return None if row is None else _claimed_or_waiting(connection, row, now)

        tried = self._database.write(work)
        while isinstance(tried, Holder):
            tried = self._database.write(work)
        return tried

    def reseal(self, run_id: str, worker_id: str, sealed: bytes) -> None:
        """Replace the encrypted inputs of a run that this worker executes."""
        given = {"run_id": run_id, "owner": worker_id, "sealed": sealed}
        self._database.write(lambda connection: connection.execute(_RESEAL, given))

    def request_cancel(self, run_id: str, by: str) -> Run:
        """Ask for the run's end; the first who asks is kept. Ended runs stay as they are.

        A run that waits for a lock is queued again, so that it is claimed and ended.
        Raises NotFoundError.
        """

        def work(connection: sa.Connection) -> Run:
            asked = {"run_id": run_id, "at": self._clock(), "by": storable(by)}
            connection.execute(_REQUEST_CANCEL, asked)
            return run_by_id(connection, run_id)

        return self._database.write(work)


def _check_birth(run: NewRun, document: StoredDocument) -> None:
    """Mistakes of the caller, not of the person who asks."""
    if run.digest != document.digest:
        raise ValueError("the run and its document have different digests")
    if run.status is RunStatus.RUNNING and run.assigned_to is None:
        raise ValueError("a run born running needs assigned_to")
    if run.status not in _BIRTHS:
        raise ValueError(f"a run cannot be born {run.status}")
    if run.locks is not None and run.status is RunStatus.RUNNING:
        raise ValueError("a run takes its locks when it is claimed: it cannot be born running")
    if run.locks is not None and any(want.capacity < 1 for want in run.locks.wants):
        raise ValueError("a lock is held by one run at least")


_BIRTHS = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.REFUSED, RunStatus.INVALID})


def _claimed_or_waiting(
    connection: sa.Connection, row: sa.Row[Any], now: Millis
) -> Claimed | Holder:
    """The run in the row of a claim; or, where it has to wait for a lock, who holds that."""
    run = run_of(row[:-1])
    busy = take_locks(connection, run, now)
    if busy is not None and may_wait(connection, run):
        park(connection, run, busy, now)
        return busy
    started = NewEvent(now, EventType.STARTED, data={"worker": run.worker_id})
    connection.execute(INSERT_EVENTS, event_rows(run.seq, run.last_event - 1, [started]))
    content = connection.scalar(_DOCUMENT, {"wanted": run.digest})
    return Claimed(run, row[-1], StoredDocument(run.digest, content or b""), busy)


def _replayed(
    connection: sa.Connection, idempotency: IdempotencyKey | None, now: Millis
) -> Run | None:
    if idempotency is None:
        return None
    key = {"of_caller": idempotency.caller, "of_key": idempotency.key}
    row = connection.execute(_KNOWN_KEY, key).first()
    if row is None or row[1] <= now - IDEMPOTENCY_MS:
        connection.execute(_FORGET_KEY, key)
        return None
    if row[0] != idempotency.request_digest:
        raise IdempotencyKeyReusedError
    return run_of(row[2:])


def _remember(
    connection: sa.Connection, idempotency: IdempotencyKey | None, run_id: str, now: Millis
) -> None:
    if idempotency is not None:
        connection.execute(
            _INSERT_KEY,
            {
                "caller": idempotency.caller,
                "key": idempotency.key,
                "request_digest": idempotency.request_digest,
                "run_id": run_id,
                "created_at": now,
            },
        )


def _check_room(connection: sa.Connection, run: NewRun, max_queued: int | None) -> None:
    if max_queued is None or run.status is not RunStatus.QUEUED or run.parent_id is not None:
        return
    queued = connection.scalar(_ROOTS_BEFORE_START, {"most": max_queued}) or 0
    if queued >= max_queued:
        raise QueueFullError


def _keep_document(connection: sa.Connection, document: StoredDocument, now: Millis) -> None:
    if connection.scalar(_HAS_DOCUMENT, {"wanted": document.digest}) is None:
        connection.execute(
            _INSERT_DOCUMENT,
            {"digest": document.digest, "content": document.content, "created_at": now},
        )


def _insert_run(
    connection: sa.Connection, run: NewRun, events: Sequence[NewEvent], created_at: Millis
) -> Run:
    end = LogEnd().after(events)
    row: dict[str, Any] = row_of(run, created_at=created_at)
    row |= {"log_bytes": end.bytes, "log_lines": end.lines, "last_event": len(events)}
    key = connection.execute(_INSERT_RUN, row).inserted_primary_key
    seq = int(key[0]) if key else 0
    if events:
        connection.execute(INSERT_EVENTS, event_rows(seq, 0, events))
    row["seq"] = seq
    return run_of([row[column.name] for column in RUN_COLUMNS])
