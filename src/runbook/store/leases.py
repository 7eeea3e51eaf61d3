"""Leases: of all workers of a store, one at a time does a periodic task, once per interval.

A lease is held while the task is done. That of a worker which died runs out after LEASE_INTERVALS
intervals; one that lasts longer was made before the clock was set back, and holds nobody up.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import sqlalchemy as sa

from runbook.core.times import Millis
from runbook.store.dialects.portable import insert
from runbook.store.rows import Component
from runbook.store.tables import leases

LEASE_INTERVALS = 3

_ALL = sa.select(leases).order_by(leases.c.task)
_OF_TASK = sa.select(leases).where(leases.c.task == sa.bindparam("of_task"))
_FIRST = insert(leases).on_conflict_do_nothing()
_TAKE = (
    sa.update(leases)
    .where(
        leases.c.task == sa.bindparam("of_task"),
        leases.c.until == sa.bindparam("seen_until"),
        leases.c.last_run == sa.bindparam("seen_last_run"),
    )
    .values(holder=sa.bindparam("by"), until=sa.bindparam("end"), last_run=sa.bindparam("at"))
)
_HELD = sa.update(leases).where(
    leases.c.task == sa.bindparam("of_task"), leases.c.holder == sa.bindparam("by")
)
_RENEW = _HELD.values(until=sa.bindparam("end"))
_GIVE_BACK = _HELD.values(holder=None, until=sa.bindparam("at"))
_GIVE_BACK_DONE = _GIVE_BACK.values(last_success=sa.bindparam("at"))


@dataclass(frozen=True, slots=True)
class Lease:
    """What is known of a periodic task. `holder` is the worker that does it now, or died in it.

    `last_run` is when it was last begun, `last_success` when it last ended well; 0 is never.
    """

    task: str
    holder: str | None
    until: Millis
    last_run: Millis
    last_success: Millis

    @property
    def failed(self) -> bool:
        """Whether the last attempt has ended, and not well."""
        return self.holder is None and self.last_success < self.last_run

    def wait(self, now: Millis, interval: Millis) -> Millis:
        """How long until the task may be begun. A time that lies too far ahead does not count."""
        held = self.until - now
        due = self.last_run + interval - now
        counting = [held <= interval * LEASE_INTERVALS and held, due <= interval and due, 0]
        return max(counting)


class Leases(Component):
    """Intervals are milliseconds; `holder` is a worker's id."""

    def take(self, task: str, holder: str, interval: Millis) -> Millis:
        """Take a task's lease, if the task is due: 0. Else after how long to ask again."""
        lease = self._database.read(lambda c: _lease_of(c, task))
        wait = 0 if lease is None else lease.wait(self._clock(), interval)
        if wait or self._won(lease, task, holder, interval):
            return min(wait, interval)  # it may be given back early
        return interval

    def renew(self, task: str, holder: str, interval: Millis) -> bool:
        """Hold a lease for longer. False where it has gone to somebody else."""
        given = {"of_task": task, "by": holder, "end": self._end(self._clock(), interval)}
        return self._database.write(lambda c: c.execute(_RENEW, given).rowcount == 1)

    def give_back(self, task: str, holder: str, *, done: bool) -> None:
        """Say that the task has ended, and whether it did what it should."""
        given = {"of_task": task, "by": holder, "at": self._clock()}
        statement = _GIVE_BACK_DONE if done else _GIVE_BACK
        self._database.write(lambda c: c.execute(statement, given))

    def all(self) -> list[Lease]:
        """What is known of the tasks that any worker has begun, by their names."""
        return self._database.read(lambda c: [Lease(**row) for row in c.execute(_ALL).mappings()])

    def _won(self, seen: Lease | None, task: str, holder: str, interval: Millis) -> bool:
        """Whether we are the first to take the lease as it was seen."""
        now = self._clock()
        end = self._end(now, interval)
        if seen is None:
            return self._won_first(Lease(task, holder, end, last_run=now, last_success=0))
        given = {
            "of_task": task,
            "seen_until": seen.until,
            "seen_last_run": seen.last_run,
            "by": holder,
            "end": end,
            "at": now,
        }
        return self._database.write(lambda c: c.execute(_TAKE, given).rowcount == 1)

    def _won_first(self, lease: Lease) -> bool:
        return self._database.write(lambda c: c.execute(_FIRST, asdict(lease)).rowcount == 1)

    def _end(self, now: Millis, interval: Millis) -> Millis:
        return now + interval * LEASE_INTERVALS


def _lease_of(connection: sa.Connection, task: str) -> Lease | None:
    row = connection.execute(_OF_TASK, {"of_task": task}).mappings().first()
    return None if row is None else Lease(**row)
