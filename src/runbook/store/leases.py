"""Leases: one worker at a time runs a periodic task, once per interval.

A lease is held while the task runs. If its worker dies, it expires after LEASE_INTERVALS intervals.
A lease that would last longer was created before the clock was set back and is ignored.
"""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass
from runbook.store.dialects.portable import insert
from runbook.store.rows import Component
from runbook.store.tables import leases

LEASE_INTERVALS = 3


def _seen(column: sa.Column[int], name: str) -> sa.ColumnElement[bool]:
    """Whether the column still has the value that was seen; 0 stands for one that is no number."""
    wanted = sa.bindparam(name, type_=sa.BigInteger)
    return sa.or_(column == wanted, sa.and_(wanted == 0, column > _LAST_TIME))


# Text, which only SQLite takes in a column of numbers, is greater than every number.
_LAST_TIME = 2**63 - 1
_ALL = sa.select(leases).order_by(leases.c.task)
_OF_TASK = sa.select(leases).where(leases.c.task == sa.bindparam("of_task"))
_FIRST = insert(leases).on_conflict_do_nothing().returning(leases.c.task)
_TAKE = (
    sa.update(leases)
    .where(
        leases.c.task == sa.bindparam("of_task"),
        _seen(leases.c.until, "seen_until"),
        _seen(leases.c.last_run, "seen_last_run"),
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
    """The state of a periodic task. `holder` is the worker running it now, or that died in it.

    `last_run` is its last start, `last_success` its last successful end; 0 means never.
    """

    task: str
    holder: str | None
    until: Millis
    last_run: Millis
    last_success: Millis

    @property
    def failed(self) -> bool:
        """Whether the last attempt finished without success."""
        return self.holder is None and self.last_success < self.last_run

    def wait(self, now: Millis, interval: Millis) -> Millis:
        """The time until the task is due. Times too far in the future are ignored."""
        held = self.until - now
        due = self.last_run + interval - now
        counting = [held <= interval * LEASE_INTERVALS and held, due <= interval and due, 0]
        return max(counting)


class Leases(Component):
    """Intervals are milliseconds; `holder` is a worker's id."""

    def take(self, task: str, holder: str, interval: Millis) -> Millis:
        """Acquire a task's lease. Returns 0 if acquired, else the time to wait before retrying."""
        lease = self._database.read(lambda c: _lease_of(c, task))
        wait = 0 if lease is None else lease.wait(self._clock(), interval)
        if wait or self._won(lease, task, holder, interval):
            return min(wait, interval)  # it may be released early
        return interval

    def renew(self, task: str, holder: str, interval: Millis) -> bool:
        """Extend a lease. False if another worker has acquired it."""
        given = {"of_task": task, "by": holder, "end": self._end(self._clock(), interval)}
        return self._database.write(lambda c: c.execute(_RENEW, given).rowcount == 1)

    def give_back(self, task: str, holder: str, *, done: bool) -> None:
        """Release a lease, and record whether the task succeeded."""
        given = {"of_task": task, "by": holder, "at": self._clock()}
        statement = _GIVE_BACK_DONE if done else _GIVE_BACK
        self._database.write(lambda c: c.execute(statement, given))

    def all(self) -> list[Lease]:
        """The state of all tasks that ever started, by name."""
        return self._database.read(lambda c: [_of(row) for row in c.execute(_ALL).mappings()])

    def _won(self, seen: Lease | None, task: str, holder: str, interval: Millis) -> bool:
        """Whether we acquired the lease before others did, given its last seen state."""
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
        return self._database.write(lambda c: c.scalar(_FIRST, asdict(lease)) is not None)

    def _end(self, now: Millis, interval: Millis) -> Millis:
        return now + interval * LEASE_INTERVALS


def _lease_of(connection: sa.Connection, task: str) -> Lease | None:
    row = connection.execute(_OF_TASK, {"of_task": task}).mappings().first()
    return None if row is None else _of(row)


def _of(row: sa.RowMapping) -> Lease:
    """The lease. A time that can't be read never was: the next to take the lease replaces it."""
    until, last_run, last_success = (
        row[name] if isinstance(row[name], int) else 0
        for name in ("until", "last_run", "last_success")
    )
    return Lease(row["task"], row["holder"], until, last_run, last_success)
