"""Locks: which runs exclude each other, whichever worker or engine executes them.

A run takes its locks in the transaction that claims it, and gives them back in the one that ends
it. So whoever holds a lock is running, and a run that is not running holds none.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from runbook.core.document import Params
from runbook.core.events import EventType
from runbook.core.run import LockRequest, LockWant, Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis, iso
from runbook.core.waiting import Holder
from runbook.store.dialects.portable import Turn, exclusively
from runbook.store.models import NewEvent
from runbook.store.rows import INSERT_EVENTS, RUN_COLUMNS, Component, event_rows, runs_of
from runbook.store.tables import locks, runs

_IS_WAITING = sa.and_(runs.c.finished_at.is_(None), runs.c.status == RunStatus.WAITING.value)

_HELD = (
    # In the order of `Holder`, the number of the run that holds, and which place.
    sa.select(
        locks.c.name,
        runs.c.id,
        runs.c.ref,
        runs.c.subject,
        locks.c.taken_at,
        locks.c.run_seq,
        locks.c.place,
    )
    .where(locks.c.name.in_(sa.bindparam("names", expanding=True)), runs.c.seq == locks.c.run_seq)
    .order_by(locks.c.taken_at, locks.c.run_seq)
)
_HOLDERS = (
    # In the order of `Holder`.
    sa.select(locks.c.name, runs.c.id, runs.c.ref, runs.c.subject, locks.c.taken_at)
    .where(locks.c.name == sa.bindparam("lock"), runs.c.seq == locks.c.run_seq)
    .order_by(locks.c.taken_at, locks.c.run_seq)
)
_TAKE = sa.insert(locks)
_RELEASE = sa.delete(locks).where(locks.c.run_seq == sa.bindparam("of_run")).returning(locks.c.name)
_PARK = (
    sa.update(runs)
    .where(runs.c.seq == sa.bindparam("run_seq"))
    .values(
        status=RunStatus.WAITING.value,
        worker_id=None,
        started_at=None,
        waiting=sa.bindparam("holder", type_=sa.JSON()),
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
    # UNION, not UNION ALL: it ends also where parents were ever to form a ring.
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

    holder: Holder
    run_seq: int
    number: int


class Locks(Component):
    def holder(self, want: LockWant) -> Holder | None:
        """Who keeps others from a lock just now, the first of several; None while it is free."""

        def work(connection: sa.Connection) -> Holder | None:
            held = [Holder(*row) for row in connection.execute(_HOLDERS, {"lock": want.name})]
            return held[0] if len(held) >= want.capacity else None

        return self._database.read(work)


def take_locks(connection: sa.Connection, run: Run, at: Millis) -> Holder | None:
    """Take all locks of a run that was just claimed, or none: then say who holds one.

    What one of its ancestors holds, the run has already: they wait for its end.
    A run whose end was asked for takes none, since it is only ended; neither does a dry run.
    """
    if run.request.locks is None or run.cancel is not None or run.request.dry_run:
        return None
    exclusively(connection, Turn.LOCKS)
    line = _line_of(connection, run)
    taken = _places(connection, run.request.locks)
    for want in run.request.locks.wants:
        others = [p for p in taken if p.holder.lock == want.name and p.run_seq not in line]
        if len(others) >= want.capacity:
            return others[0].holder
    inherited = {place.holder.lock for place in taken if place.run_seq in line}
    missing = {want.name for want in run.request.locks.wants} - inherited
    if missing:
        rows = [
            {"name": name, "run_seq": run.seq, "taken_at": at, "place": _free_place(name, taken)}
            for name in sorted(missing)
        ]
        connection.execute(_TAKE, rows)
    return None


def may_wait(connection: sa.Connection, run: Run) -> bool:
    """Whether the run waits for a lock rather than fail. It does not where that never ended."""
    return (
        run.request.locks is not None
        and run.request.locks.waits
        and not _never_ends(connection, run)
    )


def park(connection: sa.Connection, run: Run, holder: Holder, at: Millis) -> None:
    """Let a run that was just claimed wait. Its event takes the place of the claim's."""
    connection.execute(_PARK, {"run_seq": run.seq, "holder": asdict(holder), "lock": holder.lock})
    event = NewEvent(at, EventType.WAITING, data=_waiting_data(holder))
    connection.execute(INSERT_EVENTS, event_rows(run.seq, run.log.last_event - 1, [event]))


def release_locks(connection: sa.Connection, run: Run) -> int:
    """Give back what a run held, and queue again all that waited for it: the oldest goes first.

    All of them, since the first may have to wait for another lock now. Returns how many runs may
    go on, which is at most one for each lock.
    """
    if run.request.locks is None:
        return 0
    exclusively(connection, Turn.LOCKS)
    names = list(connection.scalars(_RELEASE, {"of_run": run.seq}))
    if not names:
        return 0
    return min(len(names), connection.execute(_REQUEUE, {"names": names}).rowcount)


def held_text(holder: Holder) -> str:
    """`held by run R of X.md, started by ada since 2026-01-31T12:00:00.000Z`"""
    who = f"held by run {holder.run_id} of {holder.ref}, started by {holder.by}"
    return f"{who} since {iso(holder.since)}"


def holder_params(holder: Holder) -> Params:
    """What a problem about a lock says of who holds it."""
    return {
        "lock": holder.lock,
        "run_id": holder.run_id,
        "runbook": holder.ref,
        "by": holder.by,
        "since": iso(holder.since),
    }


def _waiting_data(holder: Holder) -> dict[str, object]:
    return {
        "code": "lock_held",
        "params": holder_params(holder),
        "lock": holder.lock,
        "held_by": holder.run_id,
        "runbook": holder.ref,
        "by": holder.by,
        "since": iso(holder.since),
        "reason": f"waits for lock {holder.lock}, {held_text(holder)}",
    }


def _places(connection: sa.Connection, request: LockRequest) -> list[_Place]:
    """The places that are taken of the wanted locks, first those that were taken first."""
    names = [want.name for want in request.wants]
    found = connection.execute(_HELD, {"names": names})
    return [_Place(Holder(*holder), run_seq, number) for *holder, run_seq, number in found]


def _free_place(name: str, taken: Collection[_Place]) -> int:
    """The first place of a lock that nobody has: the database refuses to give one twice."""
    used = {place.number for place in taken if place.holder.lock == name}
    return next(number for number in itertools.count() if number not in used)


def _line_of(connection: sa.Connection, run: Run) -> frozenset[int]:
    """The numbers of the run and of all its ancestors."""
    if run.is_root:
        return frozenset({run.seq})
    return frozenset(connection.scalars(_LINE, {"run_seq": run.seq}))


@dataclass(frozen=True, slots=True)
class _Waiter:
    wants: tuple[LockWant, ...]
    line: frozenset[int]

    def may_go_on(self, places: Mapping[str, Collection[int]], pinned: Collection[int]) -> bool:
        """Whether it gets its locks once all holders have ended but those that are `pinned`."""
        return all(
            sum(seq in pinned and seq not in self.line for seq in places.get(want.name, ()))
            < want.capacity
            for want in self.wants
        )


def _never_ends(connection: sa.Connection, run: Run) -> bool:
    """Whether the run would be in a ring of runs that wait for each other.

    A run that holds a lock ends after those that it called. So a waiting run pins its ancestors,
    and with them what they hold. Let everyone go who needs nothing that is pinned, again and
    again: who is left waits for ever. Runs without callers pin nobody.
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
