"""A migrated store for each test, over every backend that there is."""

import itertools
from dataclasses import dataclass, field, replace

import pytest

from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.run import (
    LockRequest,
    LockWant,
    Origin,
    Requester,
    RunbookVersion,
    RunRequest,
    RunResult,
    RunTree,
)
from runbook.core.status import RunStatus
from runbook.store.models import NewEvent, NewRun, StoredDocument
from runbook.store.store import Store

DOCUMENT = StoredDocument("d" * 64, b"# A runbook\n")


@dataclass
class Clock:
    now: int = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@dataclass
class Helper:
    """Short words for what nearly every test does."""

    store: Store
    clock: Clock
    ids: itertools.count = field(default_factory=itertools.count)

    def new(self, **changes) -> NewRun:
        """A queued run, but for changes: of its own members, and of those of its groups."""
        groups = {
            "runbook": RunbookVersion("a/Runbook.md", "Runbook", DOCUMENT.digest),
            "tree": RunTree(("a/Runbook.md",)),
            "request": RunRequest(),
            "result": RunResult(),
        }
        values = {
            "id": f"run-{next(self.ids)}",
            "status": RunStatus.QUEUED,
            "requester": Requester("ada", Origin.API, {"roles": ["sre"]}, "192.0.2.1"),
            "correlation_id": "c-1",
        }
        for name, group in groups.items():
            own = {key: changes.pop(key) for key in list(changes) if hasattr(group, key)}
            values[name] = replace(group, **own)
        return NewRun(**(values | changes))

    def submit(self, run: NewRun | None = None, **options):
        run = run or self.new()
        event = self.event(EventType.QUEUED, data={})
        return self.store.runs.create(run, [event], DOCUMENT, **options).run

    def queued(self, **changes):
        return self.submit(self.new(**changes))

    def running(self, worker="w", **changes):
        """A run that is executed by `worker`."""
        run = self.new(status=RunStatus.RUNNING, assigned_to=worker, **changes)
        events = [self.event(kind, data={}) for kind in (EventType.QUEUED, EventType.STARTED)]
        return self.store.runs.create(run, events, DOCUMENT).run

    def waiting(self, **changes):
        """A run that waits for a lock which another run has."""
        if self.store.runs.get("holder") is None:
            self.submit(self.new(id="holder", locks=self.locks("busy")))
            self.store.runs.claim("holders-worker", root_slots=1, only="holder")
        run = self.queued(locks=self.locks("busy"), **changes)
        worker = changes.get("assigned_to", "w")
        assert self.store.runs.claim(worker, root_slots=1, only=run.id) is None
        return self.store.runs.get(run.id)

    def locks(self, *names, capacity=1, waits=True):
        return LockRequest(tuple(LockWant(name, capacity) for name in names), waits)

    def ended(self, status=RunStatus.SUCCEEDED, **changes):
        run = self.running(**changes)
        return self.finish(run.id, status)

    def finish(self, run_id, status=RunStatus.SUCCEEDED, **options):
        return self.store.runs.finish(run_id, self.outcome(status), [self.done()], **options).run

    def outcome(self, status=RunStatus.SUCCEEDED):
        return Outcome(status, 0)

    def event(self, kind=EventType.NOTICE, **values) -> NewEvent:
        return NewEvent(self.clock(), kind, **values)

    def done(self) -> NewEvent:
        return self.event(EventType.DONE, data={"status": "x"})

    def output(self, text, line=1, offset=0, kind=EventType.STDOUT) -> NewEvent:
        return NewEvent(self.clock(), kind, text=text, line=line, offset=offset)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(url, clock):
    store = Store(url, clock=clock)
    yield store
    store.close()


@pytest.fixture
def helper(store, clock):
    return Helper(store, clock)


@pytest.fixture
def helper_of(clock):
    """A helper for a store that a test has made itself."""
    return lambda store: Helper(store, clock)
