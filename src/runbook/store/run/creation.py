"""Creates runs, once per idempotency key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from runbook.core.run import Relation, Run, RunLog
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.errors import (
    AlreadyRerunError,
    IdempotencyKeyReusedError,
    NotFoundError,
    QueueFullError,
    RunEndedError,
)
from runbook.store.dialects.portable import Turn, exclusively
from runbook.store.inventory.devices import keep_run_devices
from runbook.store.models import IdempotencyKey, NewEvent, NewRun, StoredDocument
from runbook.store.reading import RUN_COLUMNS, first_of, run_of
from runbook.store.rows import INSERT_EVENTS, event_rows, grown, row_of
from runbook.store.tables import idempotency_keys, runs

IDEMPOTENCY_MS = 24 * 3600 * 1000
# As literals: SQLAlchemy renders a list of plain values anew at each execution.
_BEFORE_START = tuple(sa.literal(each.value) for each in (RunStatus.QUEUED, RunStatus.WAITING))


def _roots_before_start(purpose: sa.ColumnElement[bool]) -> sa.Select[int]:
    waiting = sa.select(runs.c.seq).where(
        runs.c.finished_at.is_(None),
        runs.c.status.in_(_BEFORE_START),
        runs.c.parent_id.is_(None),
        purpose,
    )
    return sa.select(sa.func.count()).select_from(waiting.limit(sa.bindparam("most")).subquery())


_ROOTS_BEFORE_START = _roots_before_start(runs.c.purpose.is_(None))
_FOR_PURPOSE_BEFORE_START = _roots_before_start(runs.c.purpose.is_not(None))
_KEY = sa.and_(
    idempotency_keys.c.caller == sa.bindparam("of_caller"),
    idempotency_keys.c.key == sa.bindparam("of_key"),
)
_KNOWN_KEY = sa.select(
    idempotency_keys.c.request_digest,
    idempotency_keys.c.created_at.label("used_at"),
    *RUN_COLUMNS,
).where(_KEY, runs.c.id == idempotency_keys.c.run_id)
# Not one that somebody has used since we looked.
_FORGET_KEY = sa.delete(idempotency_keys).where(
    _KEY,
    sa.or_(
        idempotency_keys.c.created_at <= sa.bindparam("old"),
        ~sa.exists(sa.select(runs.c.seq).where(runs.c.id == idempotency_keys.c.run_id)),
    ),
)
_INSERT_KEY = sa.insert(idempotency_keys)
_INSERT_RUN = sa.insert(runs)


def check_birth(run: NewRun, document: StoredDocument) -> None:
    """Check for programming errors, not for user errors."""
    if run.runbook.digest != document.digest:
        raise ValueError("the run and its document have different digests")
    if run.status is RunStatus.RUNNING and run.assigned_to is None:
        raise ValueError("a run created as running needs assigned_to")
    if run.status not in _BIRTHS:
        raise ValueError(f"a run cannot be created as {run.status}")
    locks = run.request.locks
    if locks is not None and run.status is RunStatus.RUNNING:
        raise ValueError("a run takes its locks when claimed: it cannot be created as running")
    if locks is not None and any(want.capacity < 1 for want in locks.wants):
        raise ValueError("a lock's capacity must be at least 1")


_BIRTHS = frozenset({RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.REFUSED, RunStatus.INVALID})


def replayed(
    connection: sa.Connection, idempotency: IdempotencyKey | None, now: Millis
) -> Run | None:
    if idempotency is None:
        return None
    found = run_created_by(connection, idempotency, now)
    if found is None:
        connection.execute(_FORGET_KEY, {**_key_of(idempotency), "old": now - IDEMPOTENCY_MS})
    return found


def run_created_by(
    connection: sa.Connection, idempotency: IdempotencyKey, now: Millis
) -> Run | None:
    """The run that the key's request created. Raises IdempotencyKeyReusedError for another one."""
    row = first_of(connection.execute(_KNOWN_KEY, _key_of(idempotency)))
    if row is None or not _counts(row, now):
        return None
    if row["request_digest"] != idempotency.request_digest:
        raise IdempotencyKeyReusedError
    return run_of(row)


def _key_of(idempotency: IdempotencyKey) -> dict[str, str]:
    return {"of_caller": idempotency.caller, "of_key": idempotency.key}


def _counts(key: Mapping[str, Any], now: Millis) -> bool:
    """Whether the key was used recently."""
    return bool(key["used_at"] > now - IDEMPOTENCY_MS)


def remember(
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


def check_room(connection: sa.Connection, run: NewRun, max_queued: int | None) -> None:
    if max_queued is None or run.status is not RunStatus.QUEUED or run.tree.parent_id is not None:
        return
    exclusively(connection, Turn.QUEUE)
    ordinary = run.request.purpose is None
    counted = _ROOTS_BEFORE_START if ordinary else _FOR_PURPOSE_BEFORE_START
    queued = connection.scalar(counted, {"most": max_queued}) or 0
    if queued >= max_queued:
        raise QueueFullError


_EARLIER = (
    sa.select(runs.c.finished_at, runs.c.dry_run)
    .where(runs.c.id == sa.bindparam("earlier"))
    .with_for_update()
)
# Dry runs exclude only each other, and runs that never started exclude nothing.
_OTHERS = (
    sa.select(runs.c.id)
    .where(
        runs.c.related_id == sa.bindparam("earlier"),
        runs.c.relation.in_((Relation.RESUME.value, Relation.UNDO.value)),
        runs.c.dry_run == sa.bindparam("dry", type_=sa.Boolean),
        runs.c.status.not_in((RunStatus.REFUSED.value, RunStatus.INVALID.value)),
    )
    .order_by(runs.c.seq)
)


def check_rerun(connection: sa.Connection, run: NewRun) -> None:
    """Of several reruns of one run at the same moment, the first gets it.

    The row of the earlier run is locked until this transaction ends. Raises AlreadyRerunError,
    RunEndedError, and NotFoundError if the earlier run was deleted.
    """
    claim = run.rerun_claim
    if claim is None or run.status.terminal:
        return
    earlier = connection.execute(_EARLIER, {"earlier": claim.run_id}).first()
    if earlier is None:
        raise NotFoundError("The earlier run was deleted.")
    if not claim.ended and earlier.finished_at is not None:
        raise RunEndedError("The run has already ended.")
    if run.request.dry_run != bool(earlier.dry_run):
        return
    asked = {"earlier": claim.run_id, "dry": run.request.dry_run}
    for other in connection.scalars(_OTHERS, asked):
        if other not in claim.seen:
            raise AlreadyRerunError(run_id=other)


_PARENT_ENDED = sa.select(runs.c.seq).where(
    runs.c.id == sa.bindparam("parent"), runs.c.finished_at.is_not(None)
)


def check_parent(connection: sa.Connection, run: NewRun) -> None:
    """Raises RunEndedError if the calling run ended meanwhile: nobody would end this one."""
    given = {"parent": run.tree.parent_id}
    if not run.status.terminal and connection.scalar(_PARENT_ENDED, given) is not None:
        raise RunEndedError("The calling run has ended.")


def insert_run(
    connection: sa.Connection, run: NewRun, events: Sequence[NewEvent], created_at: Millis
) -> Run:
    row = row_of(run, grown(RunLog(), events), created_at=created_at)
    key = connection.execute(_INSERT_RUN, row).inserted_primary_key
    row["seq"] = int(key[0]) if key else 0
    if events:
        connection.execute(INSERT_EVENTS, event_rows(row["seq"], 0, events))
    keep_run_devices(connection, row["seq"], run.devices)
    return run_of(row)
