"""Workers, and the runs that depend on them."""

import pytest

from runbook.store.models import Worker, WorkerKind
from runbook.store.workers import FRESH_BEAT_MS


@pytest.fixture
def register(store, clock):
    def make(worker_id="w", **changes):
        values = {
            "id": worker_id,
            "kind": WorkerKind.LOCAL,
            "host": "here",
            "boot_id": "b",
            "pid": 42,
            "process_start": 2**40,
            "slots": 8,
            "started_at": clock(),
            "beat_at": clock(),
        }
        worker = Worker(**(values | changes))
        store.workers.register(worker)
        return worker

    return make


def test_a_worker_is_read_back(register, store):
    worker = register()
    assert store.workers.all() == [worker]


def test_registering_again_replaces(register, store):
    register()
    worker = register(slots=2, kind=WorkerKind.REMOTE)
    assert store.workers.all() == [worker]


def test_a_beat(register, store, clock):
    register()
    clock.now += 5000
    assert store.workers.beat("w", draining=True)
    (worker,) = store.workers.all()
    assert (worker.beat_at, worker.draining) == (clock.now, True)


def test_a_removed_worker_hears_that_it_is_gone(register, store):
    register()
    store.workers.remove("w")
    assert not store.workers.beat("w")
    assert store.workers.all() == []


@pytest.mark.parametrize(
    ("changes", "later", "expected"),
    [
        ({}, 0, True),
        ({}, FRESH_BEAT_MS, True),
        ({}, FRESH_BEAT_MS + 1, False),
        ({"draining": True}, 0, False),
        ({"kind": WorkerKind.CLI}, 0, False),
        ({"kind": WorkerKind.REMOTE}, 0, True),
    ],
)
def test_accepting(register, store, clock, changes, later, expected):
    register(**changes)
    clock.now += later
    assert store.runs.queue_stats().accepting is expected


def test_how_many_runs_each_worker_executes(helper, store, register):
    for worker in ("v", "w", "w"):
        helper.running(worker)
    helper.ended()
    helper.queued(assigned_to="v")
    assert store.workers.run_counts() == {"v": 1, "w": 2}


def test_unfinished_runs_of_a_worker(helper, store, register):
    register()
    helper.ended()
    running = helper.running("w")
    waiting = helper.waiting(assigned_to="w")
    helper.waiting()
    assigned = helper.queued(assigned_to="w")
    helper.queued()
    helper.running("other")
    assert [run.id for run in store.workers.unfinished("w")] == [
        running.id,
        waiting.id,
        assigned.id,
    ]


def test_runs_whose_worker_is_gone(helper, store, register):
    register("w")
    helper.running("w")
    helper.queued()
    running, assigned = helper.running("gone"), helper.queued(assigned_to="gone")
    register("holders-worker")
    helper.waiting()
    register("waiter")
    waiting = helper.waiting(assigned_to="waiter")
    store.workers.remove("waiter")
    missing = [run.id for run in store.workers.runs_of_missing()]
    assert missing == [running.id, assigned.id, waiting.id]
