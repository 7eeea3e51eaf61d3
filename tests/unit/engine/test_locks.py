"""What the engine does with runs that want locks; who gets one is decided in the store."""

import dataclasses

import pytest

from runbook.core.access import Principal
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import LockRequest, LockWant, Origin
from runbook.core.status import RunStatus
from runbook.core.times import iso
from runbook.engine.process.run import Stop
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.wakeups import CANCEL, QUEUED, Role, Wakeups

DONE = Outcome(RunStatus.SUCCEEDED, 0)


@pytest.fixture
def submit(workshop, monkeypatch):
    """Submit a run of Quick.md with these locks, or of Child.md by the script of `below`."""
    for name in ("Quick", "Child"):
        workshop.write(name, "print quick")
    create = workshop.store.runs.create

    def call(*names, waits=True, below=None):
        locks = LockRequest(tuple(LockWant(name) for name in names), waits) if names else None

        def with_locks(run, *args, **more):
            asked = dataclasses.replace(run.request, locks=locks)
            return create(dataclasses.replace(run, request=asked), *args, **more)

        with monkeypatch.context() as patch:
            patch.setattr(workshop.store.runs, "create", with_locks)
            if below is None:
                return workshop.submit("Quick.md")
            script = Principal(
                "ann", Origin.RUNBOOK, {"roles": ["sre"]}, run_id=below.id, grants=ALL_GRANTS
            )
            return workshop.submit("Child.md", script)

    return call


@pytest.fixture
def worker(workshop):
    """The wake-ups of a worker in another process."""
    wakeups = Wakeups(workshop.settings.data_dir / "wake", Role.WORKER)
    wakeups.open()
    yield wakeups
    wakeups.close()


def end(workshop, run):
    return workshop.engine.parts.ending.end(run, DONE, RecordedOutput(), worker_id="w")


def test_workers_are_woken_once_for_each_run_that_may_go_on(workshop, submit, worker):
    submit("a", "b")
    holder = workshop.claim().run
    for name in ("a", "a", "b", "c"):
        submit(name)
    assert workshop.claim().run.request.locks.wants == (LockWant("c"),)
    worker.drain()

    end(workshop, holder)

    assert worker.drain() == [QUEUED, QUEUED]


def test_nobody_is_woken_where_nobody_waits(workshop, submit, worker):
    for names in (("a",), ()):
        submit(*names)
        worker.drain()
        end(workshop, workshop.claim().run)
        assert worker.drain() == []


def test_a_busy_run_fails_unstarted_and_says_who_holds_the_lock(workshop, submit):
    submit("a")
    holder = workshop.claim().run
    run = submit("a", waits=False)
    stop = Stop()

    workshop.engine.execute(workshop.claim(), "w", stop)

    failed = workshop.store.runs.get(run.id)
    text = (
        f"Lock a is held by run {holder.id} of Quick.md, "
        f"started by ann since {iso(holder.times.started_at)}"
    )
    (problem,) = failed.result.errors
    assert (failed.status, failed.result.return_code) == (RunStatus.FAILED, 1)
    assert (problem.code, problem.text) == ("lock_held", text)
    assert problem.params == {
        "lock": "a",
        "run_id": holder.id,
        "runbook": "Quick.md",
        "by": "ann",
        "since": iso(holder.times.started_at),
    }
    assert workshop.output(run, EventType.STDERR) == text
    assert workshop.output(run) == ""
    assert text in workshop.history("Quick")
    assert workshop.store.runs.get(holder.id).status is RunStatus.RUNNING


def test_a_run_that_would_wait_for_ever_fails_and_says_so(workshop, submit):
    one, two = (submit(name) and workshop.claim().run for name in ("a", "b"))
    submit("b", below=one)
    run = submit("a", below=two)

    assert workshop.execute().id == run.id

    (problem,) = workshop.store.runs.get(run.id).result.errors
    assert (problem.code, problem.params["run_id"]) == ("deadlock", one.id)


def test_a_waiter_that_is_cancelled_ends_without_being_started(workshop, submit):
    submit("a")
    workshop.claim()
    run = submit("a")
    assert workshop.claim() is None

    workshop.engine.cancel(run, Principal("bob", Origin.API, grants=ALL_GRANTS))

    ended = workshop.execute()
    assert (ended.id, ended.status) == (run.id, RunStatus.CANCELLED)
    (problem,) = ended.result.errors
    assert (problem.code, problem.params) == ("cancelled", {"by": "bob"})
    assert workshop.output(run) == ""


def test_the_end_of_a_parent_ends_a_child_that_waits(workshop, submit, worker):
    submit("a")
    workshop.claim()
    submit()
    parent = workshop.claim().run
    child = submit("a", below=parent)
    assert workshop.claim() is None
    worker.drain()

    end(workshop, parent)

    assert worker.drain() == [CANCEL]
    assert workshop.execute().status is RunStatus.CANCELLED
    assert workshop.store.runs.get(child.id).cancel.by == "the end of its parent"


def test_a_dead_workers_locks_are_free(workshop, submit, worker):
    workshop.register("dead", pid=2**22 + 1)
    holder = submit("a")
    workshop.claim("dead")
    run = submit("a")
    assert workshop.claim() is None
    worker.drain()

    assert workshop.engine.reap() == 1

    assert worker.drain() == [QUEUED]
    assert workshop.store.runs.get(holder.id).status is RunStatus.LOST
    assert workshop.execute().id == run.id


def test_a_waiting_run_is_not_lost_while_workers_come_and_go(workshop, submit):
    workshop.register()
    submit("a")
    workshop.claim()
    run = submit("a")
    workshop.register("another")
    assert workshop.claim("another") is None
    workshop.store.workers.remove("another")

    assert workshop.engine.reap() == 0
    workshop.engine.end_forgotten("another", ())
    assert workshop.store.runs.get(run.id).status is RunStatus.WAITING


def test_who_holds_the_locks_that_a_run_would_take(workshop, submit, step):
    inputs = "HOST: {type: string}\nZONE: {type: string, default: a}\nSITE: {type: string}"
    policy = "locks: ['host:${HOST}', 'zone:${ZONE}', 'site:${SITE}']"
    workshop.write_steps("Locked", step("one"), policy=policy, inputs=inputs)
    holder = submit("host:web1")
    assert workshop.claim().run.id == holder.id
    ann = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)
    read = workshop.engine.runbooks.locks
    assert read("Locked.md", ann, {}) == {"zone:a": None}
    found = read("Locked.md", ann, {"HOST": "web1", "ZONE": "b", "OTHER": "y"})
    assert list(found) == ["host:web1", "zone:b"]
    assert (found["host:web1"].run_id, found["zone:b"]) == (holder.id, None)
