"""Whatever is done in whatever order: statuses follow TRANSITIONS, numbers have no gaps, and no
lock has more holders than it may have, nor a waiter that waits for nobody."""

from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.run import (
    LockRequest,
    LockWant,
    Origin,
    Requester,
    RunbookVersion,
    RunRequest,
    RunTree,
)
from runbook.core.status import ACTIVE, TRANSITIONS, RunStatus
from runbook.errors import ConflictError, QueueFullError, RunEndedError
from runbook.store.models import NewEvent, NewRun, StoredDocument
from runbook.store.store import Store
from runbook.store.tables import locks

DOCUMENT = StoredDocument("d" * 64, b"")
WORKERS = st.sampled_from(["w1", "w2"])
MAX_QUEUED = 3
CAPACITY = {"a": 1, "b": 1, "c": 2}
NAMES = st.lists(st.sampled_from(sorted(CAPACITY)), unique=True, max_size=2)


def event(kind=EventType.NOTICE):
    return NewEvent(1, kind, data={})


class Runs(RuleBasedStateMachine):
    """The model of a run is its status, its owner, its number of events, and its locks."""

    lend = None
    runs = Bundle("runs")

    def __init__(self):
        super().__init__()
        self.database = ExitStack()
        self.store = Store(self.database.enter_context(self.lend()), clock=lambda: 1)
        self.status, self.owner, self.events = {}, {}, {}
        self.assigned, self.parent, self.cancelled = {}, {}, {}
        self.wants, self.waits = {}, {}
        self.held, self.waits_for = {}, {}

    def teardown(self):
        self.store.close()
        self.database.close()

    @initialize(target=runs, begin=st.booleans())
    def two_families(self, begin):
        """Two parents that hold a lock each, and a child of each that wants the other's."""
        if not begin:
            return multiple()
        for name in ("a", "b"):
            self.create(RunStatus.QUEUED, None, None, 1, [name], waits=True)
            self.claim("w1", 1)
        for parent, name in (("run-0", "b"), ("run-1", "a")):
            self.create(RunStatus.QUEUED, parent, None, 1, [name, "c"], waits=True)
        return multiple(*self.status)

    def line(self, run):
        """The run and its ancestors."""
        while run is not None:
            yield run
            run = self.parent[run]

    def holders(self, run, name):
        """Who holds a lock, but the run's own ancestors."""
        line = set(self.line(run))
        return [other for other in self.status if name in self.held[other] and other not in line]

    def blocked_by(self, run):
        """The first lock that the run does not get now."""
        return next((n for n in self.wants[run] if not self.free(run, n)), None)

    def free(self, run, name):
        return len(self.holders(run, name)) < CAPACITY[name]

    def waits_for_ever(self, run):
        """Play on: end what can end, until the run gets its locks or nothing ends any more."""
        before = {name: set(kept) for name, kept in self.held.items()}
        waiting = {run, *self.waits_for}
        going = True
        while going and run in waiting:
            pinned = {above for one in waiting for above in self.line(one)}
            ended = [one for one in self.status if self.held[one] and one not in pinned]
            for one in ended:
                self.held[one] = set()
            started = {one for one in waiting if self.blocked_by(one) is None}
            waiting -= started
            going = ended or started
        self.held = before
        return run in waiting

    @rule(
        target=runs,
        status=st.sampled_from([RunStatus.QUEUED] * 5 + [RunStatus.RUNNING, RunStatus.REFUSED]),
        parent=st.none() | runs,
        assigned=st.none() | WORKERS,
        count=st.integers(0, 3),
        names=NAMES,
        waits=st.sampled_from([True, True, False]),
    )
    def create(self, status, parent, assigned, count, names, waits):
        if status is RunStatus.RUNNING:
            assigned, names = assigned or "w1", []
        wants = tuple(LockWant(name, CAPACITY[name]) for name in names)
        run = NewRun(
            id=f"run-{len(self.status)}",
            runbook=RunbookVersion("a.md", "A", DOCUMENT.digest),
            status=status,
            requester=Requester("ada", Origin.API),
            correlation_id="c",
            tree=RunTree(("a.md",), parent),
            request=RunRequest(locks=LockRequest(wants, waits) if wants else None),
            assigned_to=assigned,
        )
        before_start = [
            one
            for one, now in self.status.items()
            if now in (RunStatus.QUEUED, RunStatus.WAITING) and self.parent[one] is None
        ]
        full = status is RunStatus.QUEUED and not parent and len(before_start) >= MAX_QUEUED
        orphan = parent is not None and self.status[parent].terminal and not status.terminal
        try:
            self.store.runs.create(run, [event()] * count, DOCUMENT, max_queued=MAX_QUEUED)
        except QueueFullError:
            assert full
            return multiple()
        except RunEndedError:
            assert orphan
            return multiple()
        assert not full
        assert not orphan
        self.status[run.id], self.events[run.id] = status, count
        self.tell_parent(parent)
        self.owner[run.id] = assigned if status is RunStatus.RUNNING else None
        self.assigned[run.id], self.parent[run.id] = assigned, parent
        self.cancelled[run.id], self.held[run.id] = False, set()
        self.wants[run.id], self.waits[run.id] = names, waits
        return run.id

    def claimable(self, worker, slots):
        return next(
            (
                run
                for run, status in self.status.items()
                if status is RunStatus.QUEUED
                and (self.parent[run] or self.cancelled[run] or slots)
                and self.assigned[run] in (None, worker)
            ),
            None,
        )

    def tell_parent(self, parent):
        """A run that has not ended hears of the beginnings and ends of its children."""
        if parent is not None and not self.status[parent].terminal:
            self.events[parent] += 1

    @rule(worker=WORKERS, slots=st.sampled_from([1, 1, 0]))
    def claim(self, worker, slots):
        busy = None
        while (run := self.claimable(worker, slots)) is not None:
            self.events[run] += 1
            busy = None if self.cancelled[run] else self.blocked_by(run)
            if busy is None or not self.waits[run] or self.waits_for_ever(run):
                break
            self.status[run], self.waits_for[run] = RunStatus.WAITING, busy
        claimed = self.store.runs.claim(worker, root_slots=slots)
        assert (claimed and claimed.run.id) == run
        if run is None:
            return
        assert (claimed.busy and claimed.busy.lock) == busy
        if busy:
            assert claimed.busy.run_id == self.holders(run, busy)[0]
        elif not self.cancelled[run]:
            above = set().union(*(self.held[one] for one in self.line(run)))
            self.held[run] = set(self.wants[run]) - above
        self.status[run], self.owner[run] = RunStatus.RUNNING, worker

    @rule(run=runs, worker=st.none() | WORKERS, count=st.integers(0, 3))
    def append(self, run, worker, count):
        allowed = self.status[run] in ACTIVE and self.owner[run] == worker
        try:
            last = self.store.events.append(run, [event()] * count, worker_id=worker)
        except ConflictError:
            assert not allowed
            return
        assert allowed
        self.events[run] += count
        assert last == self.events[run]

    @rule(
        run=runs,
        worker=st.none() | WORKERS,
        status=st.sampled_from(sorted(set(RunStatus) - ACTIVE)),
    )
    def finish(self, run, worker, status):
        allowed = status in TRANSITIONS[self.status[run]] and worker in (None, self.owner[run])
        try:
            done = [event(), event(EventType.DONE)]
            ended = self.store.runs.finish(
                run, Outcome(status, 1), done, worker_id=worker, durable=False
            )
        except ConflictError:
            assert not allowed
            return
        assert allowed
        self.status[run] = status
        self.events[run] += 2
        self.tell_parent(self.parent[run])
        released, self.held[run] = self.held[run], set()
        self.waits_for.pop(run, None)
        queued = [one for one, name in self.waits_for.items() if name in released]
        for one in queued:
            self.queue_again(one)
        assert ended.going_on == min(len(queued), len(released))

    def queue_again(self, run):
        del self.waits_for[run]
        self.status[run] = RunStatus.QUEUED

    @rule(run=runs)
    def cancel(self, run):
        asked = self.store.runs.request_cancel(run, "bob")
        self.cancelled[run] |= self.status[run] in ACTIVE
        assert (asked.cancel is not None) is self.cancelled[run]
        if self.status[run] is RunStatus.WAITING:
            self.queue_again(run)

    @invariant()
    def the_store_agrees(self):
        found = {run.id: run for run in self.store.runs.page(limit=200).runs}
        assert {run: kept.status for run, kept in found.items()} == self.status
        for run, kept in found.items():
            numbers = [item.n for item in self.store.events.after(run)]
            assert numbers == list(range(1, self.events[run] + 1))
            assert (kept.log.last_event, kept.worker_id) == (self.events[run], self.owner[run])
            assert (kept.times.finished_at is not None) is (kept.status.terminal)

            assert (kept.waiting and kept.waiting.lock) == self.waits_for.get(run)

    @invariant()
    def the_locks_agree(self):
        held = sa.select(locks.c.name, sa.func.count()).group_by(locks.c.name)
        found = dict(self.store._database.read(lambda c: [tuple(row) for row in c.execute(held)]))
        counted = {name: sum(name in kept for kept in self.held.values()) for name in CAPACITY}
        assert found == {name: count for name, count in counted.items() if count}
        assert all(count <= CAPACITY[name] for name, count in found.items())

    @invariant()
    def nobody_waits_for_what_is_free(self):
        for run, name in self.waits_for.items():
            assert not self.free(run, name)
            assert not self.waits_for_ever(run)

    @invariant()
    def the_queue_agrees(self):
        counted = [status for status in self.status.values() if status in ACTIVE]
        stats = self.store.runs.queue_stats()
        assert (stats.queued, stats.running, stats.waiting) == tuple(
            counted.count(status)
            for status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)
        )


@pytest.mark.timeout(300)
def test_any_order_of_calls(lend):
    machine = type("Runs", (Runs,), {"lend": staticmethod(lend)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            deadline=None,
            max_examples=16,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
