"""Whatever is done in whatever order: statuses follow TRANSITIONS, numbers have no gaps."""

import itertools
import shutil

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from runbook.core.run import (
    TERMINAL,
    TRANSITIONS,
    EventType,
    Origin,
    Outcome,
    Requester,
    RunStatus,
)
from runbook.errors import ConflictError, QueueFullError
from runbook.store.records import NewEvent, NewRun, StoredDocument
from runbook.store.store import Store

DOCUMENT = StoredDocument("d" * 64, b"")
WORKERS = st.sampled_from(["w1", "w2"])
MAX_QUEUED = 3


def event(kind=EventType.NOTICE):
    return NewEvent(1, kind, data={})


class Runs(RuleBasedStateMachine):
    """The model of a run is its status, its owner and its number of events."""

    template = None
    folder = None
    names = itertools.count()
    runs = Bundle("runs")

    def __init__(self):
        super().__init__()
        path = self.folder / f"{next(self.names)}.db"
        shutil.copy(self.template, path)
        self.store = Store(f"sqlite:///{path}", clock=lambda: 1)
        self.status, self.owner, self.events = {}, {}, {}
        self.assigned, self.child, self.cancelled = {}, {}, {}

    def teardown(self):
        self.store.close()

    def queued(self, *, child):
        return [
            run
            for run, status in self.status.items()
            if status is RunStatus.QUEUED and self.child[run] is child
        ]

    @rule(
        target=runs,
        status=st.sampled_from([RunStatus.QUEUED] * 3 + [RunStatus.RUNNING, RunStatus.REFUSED]),
        child=st.booleans(),
        assigned=st.none() | WORKERS,
        count=st.integers(0, 3),
    )
    def create(self, status, child, assigned, count):
        if status is RunStatus.RUNNING:
            assigned = assigned or "w1"
        run = NewRun(
            id=f"run-{len(self.status)}",
            ref="a.md",
            name="A",
            digest=DOCUMENT.digest,
            status=status,
            requester=Requester("ada", Origin.API),
            correlation_id="c",
            chain=("a.md",),
            parent_id="parent" if child else None,
            assigned_to=assigned,
        )
        full = (
            status is RunStatus.QUEUED
            and not child
            and (len(self.queued(child=False)) >= MAX_QUEUED)
        )
        try:
            self.store.create_run(run, [event()] * count, DOCUMENT, max_queued=MAX_QUEUED)
        except QueueFullError:
            assert full
            return multiple()
        assert not full
        self.status[run.id], self.events[run.id] = status, count
        self.owner[run.id] = assigned if status is RunStatus.RUNNING else None
        self.assigned[run.id], self.child[run.id] = assigned, child
        self.cancelled[run.id] = False
        return run.id

    @rule(worker=WORKERS, slots=st.integers(0, 1))
    def claim(self, worker, slots):
        claimable = [
            run
            for run, status in self.status.items()
            if status is RunStatus.QUEUED
            and (self.child[run] or self.cancelled[run] or slots)
            and self.assigned[run] in (None, worker)
        ]
        claimed = self.store.claim(worker, root_slots=slots)
        assert (claimed and claimed.run.id) == (claimable[0] if claimable else None)
        if claimed:
            self.status[claimed.run.id] = RunStatus.RUNNING
            self.owner[claimed.run.id] = worker
            self.events[claimed.run.id] += 1

    @rule(
        run=runs,
        to=st.sampled_from([RunStatus.QUEUED, RunStatus.WAITING, RunStatus.RUNNING]),
        worker=st.none() | WORKERS,
    )
    def move(self, run, to, worker):
        allowed = to in TRANSITIONS[self.status[run]] and self.owner[run] in (None, worker)
        try:
            self.store.move(run, to, [event()], worker_id=worker)
        except ConflictError:
            assert not allowed
            return
        assert allowed
        self.status[run], self.owner[run] = to, worker
        self.events[run] += 1

    @rule(run=runs, worker=st.none() | WORKERS, count=st.integers(0, 3))
    def append(self, run, worker, count):
        allowed = self.status[run] not in TERMINAL and self.owner[run] == worker
        try:
            last = self.store.append_events(run, [event()] * count, worker_id=worker)
        except ConflictError:
            assert not allowed
            return
        assert allowed
        self.events[run] += count
        assert last == self.events[run]

    @rule(
        run=runs,
        worker=st.none() | WORKERS,
        status=st.sampled_from(sorted(TERMINAL)),
    )
    def finish(self, run, worker, status):
        allowed = status in TRANSITIONS[self.status[run]] and worker in (None, self.owner[run])
        try:
            done = [event(), event(EventType.DONE)]
            self.store.finish(run, Outcome(status, 1), done, worker_id=worker, durable=False)
        except ConflictError:
            assert not allowed
            return
        assert allowed
        self.status[run] = status
        self.events[run] += 2

    @rule(run=runs)
    def cancel(self, run):
        asked = self.store.request_cancel(run, "bob")
        self.cancelled[run] |= self.status[run] not in TERMINAL
        assert (asked.cancel_by == "bob") is self.cancelled[run]

    @invariant()
    def the_store_agrees(self):
        found = {run.id: run for run in self.store.runs(limit=200).runs}
        assert {run: kept.status for run, kept in found.items()} == self.status
        for run, kept in found.items():
            numbers = [item.n for item in self.store.events(run)]
            assert numbers == list(range(1, self.events[run] + 1))
            assert (kept.last_event, kept.worker_id) == (self.events[run], self.owner[run])
            assert (kept.finished_at is not None) is (kept.status in TERMINAL)

    @invariant()
    def the_queue_agrees(self):
        counted = [status for status in self.status.values() if status not in TERMINAL]
        stats = self.store.queue_stats()
        assert (stats.queued, stats.running, stats.waiting) == tuple(
            counted.count(status)
            for status in (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)
        )


@pytest.mark.timeout(300)
def test_any_order_of_calls(sqlite_template, tmp_path):
    machine = type("Runs", (Runs,), {"template": sqlite_template, "folder": tmp_path})
    run_state_machine_as_test(
        machine,
        settings=settings(
            deadline=None,
            max_examples=40,
            stateful_step_count=25,
            suppress_health_check=list(HealthCheck),
        ),
    )
