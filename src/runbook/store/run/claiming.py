"""Claims the next run for a worker, together with the locks it needs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from runbook.core.document import DEFAULT_QUEUE
from runbook.core.events import EventType
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.core.waiting import WaitReason
from runbook.errors import RunbookError, StoreBusyError, StoreUnavailableError
from runbook.quick_dataclass import dataclass
from runbook.store.locks import may_wait, park, take_locks
from runbook.store.models import Claimed, NewEvent, StoredDocument, UnclaimableRunError
from runbook.store.reading import RUN_COLUMNS, first_of, run_of
from runbook.store.rows import INSERT_EVENTS, event_rows
from runbook.store.runbooks import head_of
from runbook.store.tables import documents, runbooks, runs

_AT = sa.bindparam("at", type_=sa.BigInteger)
_QUEUED = sa.and_(runs.c.finished_at.is_(None), runs.c.status == RunStatus.QUEUED.value)
_MAY_CLAIM = sa.and_(
    _QUEUED,
    # A run with a cancel request needs no slot: it is only finished.
    sa.or_(
        runs.c.parent_id.is_not(None),
        runs.c.cancel_at.is_not(None),
        sa.and_(runs.c.purpose.is_(None), sa.bindparam("root_slots", type_=sa.Integer) > 0),
        # Forms must not wait for runs, nor keep them waiting: they have separate slots.
        sa.and_(runs.c.purpose.is_not(None), sa.bindparam("form_slots", type_=sa.Integer) > 0),
    ),
    sa.or_(runs.c.assigned_to.is_(None), runs.c.assigned_to == sa.bindparam("claimer")),
)
# The run with this ID and the runs assigned to this worker, which it calls.
_OF_ONE = sa.or_(runs.c.assigned_to == sa.bindparam("claimer"), runs.c.id == sa.bindparam("only"))
_OF_QUEUES = sa.or_(
    # A run with a cancel request or an assigned worker ignores queues.
    runs.c.cancel_at.is_not(None),
    runs.c.assigned_to.is_not(None),
    sa.func.coalesce(runs.c.queue, DEFAULT_QUEUE).in_(sa.bindparam("queues", expanding=True)),
)
_DOCUMENT = (
    sa.select(documents.c.content, runbooks.c.history_n, runbooks.c.history_digest)
    .select_from(documents.outerjoin(runbooks, runbooks.c.ref == sa.bindparam("of_ref")))
    .where(documents.c.digest == sa.bindparam("wanted"))
)


@dataclass(frozen=True, slots=True)
class _Statements:
    """The statements to find and claim a run."""

    look: sa.Select[int]
    take: sa.Update


def _statements(*conditions: sa.ColumnElement[bool]) -> _Statements:
    look = sa.select(runs.c.seq).where(_MAY_CLAIM, *conditions).order_by(runs.c.seq).limit(1)
    # A run whose row somebody changes just now is passed over.
    free = look.with_for_update(skip_locked=True)
    take = (
        sa.update(runs)
        .where(runs.c.seq == free.scalar_subquery(), _QUEUED)
        .values(
            status=RunStatus.RUNNING.value,
            worker_id=sa.bindparam("claimer"),
            # The clock may have been set back since.
            started_at=sa.case((runs.c.created_at > _AT, runs.c.created_at), else_=_AT),
            last_event=runs.c.last_event + 1,
        )
        .returning(*RUN_COLUMNS, runs.c.sealed_inputs)
    )
    return _Statements(look, take)


_ANY = _statements()
_ONE = _statements(_OF_ONE)
_ANY_OF_QUEUES = _statements(_OF_QUEUES)


class Claim:
    """A worker's claim, retried until a run is found that need not wait."""

    def __init__(
        self,
        worker_id: str,
        root_slots: int,
        form_slots: int,
        only: str | None,
        queues: Collection[str] | None,
    ) -> None:
        self._given: dict[str, Any] = {
            "claimer": worker_id,
            "root_slots": root_slots,
            "form_slots": form_slots,
        }
        self._statements = _ANY
        if only is not None:
            self._given["only"] = only
            self._statements = _ONE
        elif queues is not None:
            self._given["queues"] = sorted(queues)
            self._statements = _ANY_OF_QUEUES
        self._taking: Run | None = None
        """The run that the last attempt took, until it has succeeded."""

    def sees_one(self, connection: sa.Connection) -> bool:
        return connection.scalar(self._statements.look, self._given) is not None

    def attempt(self, connection: sa.Connection, now: Millis) -> Claimed | WaitReason | None:
        """The run, the reason why the next run waits, or None if there is no run."""
        self._taking = None
        given = {**self._given, "at": now}
        taken = first_of(connection.execute(self._statements.take, given))
        if taken is None:
            return None
        self._taking = run_of(taken)
        result = _claimed_or_waiting(connection, self._taking, taken["sealed_inputs"], now)
        self._taking = None
        return result

    @contextmanager
    def naming_damage(self) -> Iterator[None]:
        """Name the run whose claim fails for a reason that stays. Else all would wait behind it.

        Raises UnclaimableRunError.
        """
        try:
            yield
        except (StoreBusyError, StoreUnavailableError):
            raise
        except Exception as error:
            if self._taking is None:
                raise
            reason = error.message if isinstance(error, RunbookError) else repr(error)
            raise UnclaimableRunError(self._taking, reason) from error


def _claimed_or_waiting(
    connection: sa.Connection, run: Run, sealed_inputs: bytes | None, now: Millis
) -> Claimed | WaitReason:
    """The claimed run, or the reason why it has to wait."""
    busy = take_locks(connection, run, now)
    if busy is not None and may_wait(connection, run):
        park(connection, run, busy, now)
        return busy
    started = NewEvent(now, EventType.STARTED, data={"worker": run.worker_id})
    connection.execute(INSERT_EVENTS, event_rows(run.seq, run.log.last_event - 1, [started]))
    wanted = {"wanted": run.runbook.digest, "of_ref": run.ref}
    row = connection.execute(_DOCUMENT, wanted).mappings().first()
    document = StoredDocument(run.runbook.digest, row["content"] if row else b"")
    return Claimed(run, sealed_inputs, document, busy, head_of(row) if row else None)
