"""Locks: mutual exclusion of runs, across workers and servers.

A run acquires its locks in the transaction that claims it, and releases them in the one that
finishes it. So only running runs hold locks.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from runbook.core.events import EventType
from runbook.core.run import LockWant, Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.core.waiting import LockWait, WaitReason, stored_wait
from runbook.quick_dataclass import dataclass
from runbook.store.dialects.portable import Turn, exclusively
from runbook.store.models import NewEvent
from runbook.store.reading import RUN_COLUMNS, runs_of
from runbook.store.rows import INSERT_EVENTS, Component, event_rows
from runbook.store.tables import locks, runs

_IS_WAITING = sa.and_(runs.c.finished_at.is_(None), runs.c.status == RunStatus.WAITING.value)

_HELD = (
    # In the order of `LockWait`, and the number of the run that holds.
    sa.select(
        locks.c.name,
        runs.c.id,
        runs.c.ref,
        runs.c.subject,
        locks.c.taken_at,
        locks.c.run_seq,
    )
    .where(locks.c.name.in_(sa.bindparam("names", expanding=True)), runs.c.seq == locks.c.run_seq)
    .order_by(locks.c.taken_at, locks.c.run_seq)
)
# Also of runs that no longer exist.
_USED = sa.select(locks.c.name, locks.c.place).where(
    locks.c.name.in_(sa.bindparam("names", expanding=True))
)
_TAKE = sa.insert(locks)
_IS_ORPHAN = ~sa.exists(
    sa.select(runs.c.seq).where(runs.c.seq == locks.c.run_seq, runs.c.finished_at.is_(None))
)
_ORPHANS = sa.select(locks.c.name).where(_IS_ORPHAN).limit(1)
_RELEASE_ORPHANS = sa.delete(locks).where(_IS_ORPHAN).returning(locks.c.name)
_RELEASE = sa.delete(locks).where(locks.c.run_seq == sa.bindparam("of_run")).returning(locks.c.name)
_PARK = (
    sa.update(runs)
    .where(runs.c.seq == sa.bindparam("run_seq"))
    .values(
        status=RunStatus.WAITING.value,
        worker_id=None,
        started_at=None,
        waiting=sa.bindparam("wait", type_=sa.JSON()),
        waiting_lock=sa.bindparam("lock"),
    )
)
_REQUEUE = (
    sa.update(runs)
    .where(
        _IS_WAITING,
        runs.c.waiting_lock.in_(sa.bindparam("names", expanding=True)),
    )
    .values(status=RunStatus.QUEUED.value, waiting=None, waiting_lock=None)
)
_WAITING_CHILDREN = sa.select(*RUN_COLUMNS).where(_IS_WAITING, runs.c.parent_id.is_not(None))
_EVERY_PLACE = sa.select(locks.c.name, locks.c.run_seq)


def _line() -> sa.Select[int]:
    # UNION, not UNION ALL: terminates even if parents form a cycle.
    line = (
        sa.select(runs.c.seq, runs.c.parent_id)
        .where(runs.c.seq == sa.bindparam("run_seq"))
        .cte("line", recursive=True)
    )
    parent = runs.alias("parent")
    return sa.select(
        line.union(
            sa.select(parent.c.seq, parent.c.parent_id).where(parent.c.id == line.c.parent_id)
        ).c.seq
    )


_LINE = _line()


@dataclass(frozen=True, slots=True)
class _Place:
    """One place of a lock, taken."""

    holder: LockWait
    run_seq: int


class Locks(Component):
    def holder(self, want: LockWant) -> LockWait | None:
        """The current holder of a lock, the first of several; None if it is free."""

        def work(connection: sa.Connection) -> LockWait | None:
            held = _places(connection, (want,))
            return held[0].holder if len(held) >= want.capacity else None

        return self._database.read(work)

    def release_orphans(self) -> int:
        """Release locks of runs that aren't active, which only damage leaves, and those damaged.

        Runs that wait for them are requeued. Returns how many locks were released.
        """
        if not self._database.read(lambda c: c.execute(_ORPHANS).first()):
            return 0

        def work(connection: sa.Connection) -> int:
            exclusively(connection, Turn.LOCKS)
            names = list(connection.scalars(_RELEASE_ORPHANS))
            if names:
                connection.execute(_REQUEUE, {"names": names})
            return len(names)

        return self._database.write(work)


def _wait_of(lock: str, run_id: object, ref: object, by: object, since: object) -> LockWait:
    """The reason to wait; its texts are only shown."""
    moment = since if isinstance(since, int) else 0
    return LockWait(lock, str(run_id), str(ref), str(by), moment)


def take_locks(connection: sa.Connection, run: Run, at: Millis) -> LockWait | None:
    """Acquire all locks of a claimed run, or none and return the holder of one.

    Locks held by its ancestors are available to the run, as they wait for it. A run with a cancel
    request takes no locks, because it is only finished; neither does a dry run.
    """
    if run.request.locks is None or run.cancel is not None or run.request.dry_run:
        return None
    exclusively(connection, Turn.LOCKS)
    line = _line_of(connection, run)
    taken = _places(connection, run.request.locks.wants)
    for want in run.request.locks.wants:
        others = [p for p in taken if p.holder.lock == want.name and p.run_seq not in line]
        if len(others) >= want.capacity:
            return others[0].holder
    inherited = {place.holder.lock for place in taken if place.run_seq in line}
    missing = {want.name for want in run.request.locks.wants} - inherited
    if missing:
        used = list(connection.execute(_USED, {"names": sorted(missing)}))
        rows = [
            {"name": name, "run_seq": run.seq, "taken_at": at, "place": _free_place(name, used)}
            for name in sorted(missing)
        ]
        connection.execute(_TAKE, rows)
    return None


def may_wait(connection: sa.Connection, run: Run) -> bool:
    """Whether the run waits for a lock instead of failing. It fails on a deadlock."""
    return (
        run.request.locks is not None
        and run.request.locks.waits
        and not _never_ends(connection, run)
    )


def park(connection: sa.Connection, run: Run, reason: WaitReason, at: Millis) -> None:
    """Make a claimed run wait. Its event replaces the claim's event."""
    connection.execute(
        _PARK, {"run_seq": run.seq, "wait": stored_wait(reason), "lock": reason.lock}
    )
    event = NewEvent(at, EventType.WAITING, data=reason.event_data)
    connection.execute(INSERT_EVENTS, event_rows(run.seq, run.log.last_event - 1, [event]))


def release_locks(connection: sa.Connection, run: Run, *, only_asked: bool = True) -> int:
    """Release a run's locks, and requeue all runs waiting for them, oldest first.

    All of them, because the first may now have to wait for another lock. Returns how many runs can
    proceed, at most one per lock.
    """
    if only_asked and run.request.locks is None:
        return 0
    exclusively(connection, Turn.LOCKS)
    names = list(connection.scalars(_RELEASE, {"of_run": run.seq}))
    if not names:
        return 0
    return min(len(names), connection.execute(_REQUEUE, {"names": names}).rowcount)


def _places(connection: sa.Connection, wants: Iterable[LockWant]) -> list[_Place]:
    """The occupied places of the locks, oldest first."""
    found = connection.execute(_HELD, {"names": [want.name for want in wants]})
    return [_Place(_wait_of(*holder), run_seq) for *holder, run_seq in found]


def _free_place(name: str, used: Iterable[Sequence[Any]]) -> int:
    """The first free place of a lock: the database rejects duplicates."""
    taken = {place for lock, place in used if lock == name}
    return next(number for number in itertools.count() if number not in taken)


def _line_of(connection: sa.Connection, run: Run) -> frozenset[int]:
    """The numbers of the run and its ancestors."""
    if run.is_root:
        return frozenset({run.seq})
    return frozenset(connection.scalars(_LINE, {"run_seq": run.seq}))


@dataclass(frozen=True, slots=True)
class _Waiter:
    wants: tuple[LockWant, ...]
    line: frozenset[int]

    def may_go_on(self, places: Mapping[str, Collection[int]], pinned: Collection[int]) -> bool:
        """Whether it gets its locks once all holders have finished, except `pinned` ones."""
        return all(
            sum(seq in pinned and seq not in self.line for seq in places.get(want.name, ()))
            < want.capacity
            for want in self.wants
        )


def _never_ends(connection: sa.Connection, run: Run) -> bool:
    """Whether the run would be part of a deadlock.

    A run that holds a lock finishes after the runs it called. So a waiting run pins its ancestors
    and the locks they hold. Repeatedly remove every run that needs nothing pinned: the remaining
    runs would wait forever. Runs without callers don't pin anything.
    """
    if run.is_root:
        return False
    others = runs_of(connection.execute(_WAITING_CHILDREN))
    if not others:
        return False
    stuck = {
        one.id: _Waiter(one.request.locks.wants, _line_of(connection, one))
        for one in (run, *others)
        if one.request.locks is not None
    }
    places = _every_place(connection)
    while run.id in stuck:
        pinned = frozenset[int]().union(*(waiter.line for waiter in stuck.values()))
        going = [name for name, waiter in stuck.items() if waiter.may_go_on(places, pinned)]
        if not going:
            return True
        for name in going:
            del stuck[name]
    return False


def _every_place(connection: sa.Connection) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for name, run_seq in connection.execute(_EVERY_PLACE):
        places.setdefault(name, []).append(run_seq)
    return places
