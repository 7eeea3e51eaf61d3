"""Ends runs that can't be ended in any other way, because a record of theirs is damaged.

The run becomes `lost`. What can't be read is replaced in its row; the table `quarantine` keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from runbook.core import return_codes
from runbook.core.document import Problem
from runbook.core.events import EventType
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass
from runbook.store.conditions import ACTIVE_STATUSES
from runbook.store.dialects.portable import insert
from runbook.store.dialects.values import Unreadable
from runbook.store.locks import release_locks
from runbook.store.models import NewEvent
from runbook.store.reading import (
    RUN_COLUMNS,
    first_of,
    run_of,
    runs_of,
    salvaged_values,
)
from runbook.store.rows import (
    EVENTS_PER_RUN,
    INSERT_EVENTS,
    Component,
    event_key,
    event_rows,
    problem_rows,
)
from runbook.store.run.steps import end_steps
from runbook.store.runbooks import count_revision
from runbook.store.tables import events, quarantine, runs

_KEPT_CHARACTERS = 2000

_OF_SEQ = sa.select(*RUN_COLUMNS).where(runs.c.seq == sa.bindparam("of_run")).with_for_update()
_LAST_EVENT = sa.select(sa.func.max(events.c.key)).where(
    events.c.key > sa.bindparam("after"), events.c.key < sa.bindparam("end")
)
# Its status says nothing, so no other query finds it.
_UNKNOWN_STATUS = (
    sa.select(*RUN_COLUMNS)
    .where(runs.c.finished_at.is_(None), runs.c.status.not_in(ACTIVE_STATUSES))
    .order_by(runs.c.seq)
)
_NOTE = insert(quarantine).on_conflict_do_nothing()
_ALL = (
    sa.select(quarantine.c.at, quarantine.c.reason, quarantine.c.damage, runs.c.id, runs.c.ref)
    .where(runs.c.seq == quarantine.c.run_seq)
    .order_by(quarantine.c.run_seq.desc())
    .limit(sa.bindparam("most"))
)
_COUNT = sa.select(sa.func.count()).select_from(quarantine)
# Other tables refer to the first two; without them the row isn't the run's anymore.
_NEVER_REPLACED = frozenset({"seq", "digest"})


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A run that was ended because a record of it is damaged. `damage` is what was there."""

    run_id: str
    ref: str
    at: Millis
    reason: str
    damage: Mapping[str, str]


class Quarantine(Component):
    def put(self, run_seq: int, problem: Problem, done: Mapping[str, object]) -> Run | None:
        """End a run as `lost`, whatever its records hold. None if it has ended.

        `done` is the data of its last event. Touches as few other rows as possible, as those may be
        damaged, too.
        """
        event = NewEvent(self._clock(), EventType.DONE, data=done)
        return self._database.write(lambda c: _put(c, run_seq, problem, event), durable=True)

    def unknown_status(self) -> list[Run]:
        """The runs that have neither ended nor a status that says what they do."""
        return self._database.read(lambda c: runs_of(c.execute(_UNKNOWN_STATUS)))

    def all(self, most: int = 50) -> list[Quarantined]:
        """The latest runs in quarantine."""

        def work(connection: sa.Connection) -> list[Quarantined]:
            return [
                Quarantined(str(run_id), str(ref), at, reason, damage)
                for at, reason, damage, run_id, ref in connection.execute(_ALL, {"most": most})
            ]

        return self._database.read(work)

    def count(self) -> int:
        return self._database.read(lambda c: c.scalar(_COUNT) or 0)


def _put(connection: sa.Connection, run_seq: int, problem: Problem, done: NewEvent) -> Run | None:
    row = first_of(connection.execute(_OF_SEQ, {"of_run": run_seq}))
    if row is None:
        return None
    values, damaged = salvaged_values(row)
    run = run_of(values)
    if run.status.terminal:
        return None
    last = _last_event(connection, run_seq)
    end = _end(problem, run, last + 1, done.at)
    replaced = {name: values[name] for name in damaged if name not in _NEVER_REPLACED} | end
    connection.execute(
        sa.update(runs)
        .where(runs.c.seq == run_seq)
        .values(**replaced, waiting_lock=None, sealed_inputs=None)
    )
    connection.execute(INSERT_EVENTS, event_rows(run_seq, last, [done]))
    kept = {name: _shown(row[name]) for name in damaged}
    note = {"run_seq": run_seq, "at": done.at, "reason": problem.message, "damage": kept}
    connection.execute(_NOTE, note)
    end_steps(connection, run_seq, RunStatus.LOST, done.at)
    release_locks(connection, run, only_asked=False)
    count_revision(connection)
    return run_of({**values, **end})


def _end(problem: Problem, run: Run, last_event: int, at: Millis) -> dict[str, Any]:
    return {
        "status": RunStatus.LOST.value,
        "finished_at": at,
        "duration_ms": run.elapsed_ms(at) if run.times.started_at else 0,
        "return_code": return_codes.UNKNOWN,
        "errors": problem_rows([problem]),
        "last_event": last_event,
        "waiting": None,
    }


def _last_event(connection: sa.Connection, run_seq: int) -> int:
    """Counted by the events themselves, as the run's own number may be wrong."""
    span = {"after": event_key(run_seq, 0), "end": event_key(run_seq + 1, 0)}
    return (connection.scalar(_LAST_EVENT, span) or 0) % EVENTS_PER_RUN


def _shown(stored: object) -> str:
    value = stored.stored if isinstance(stored, Unreadable) else stored
    return repr(value)[:_KEPT_CHARACTERS]
