"""Each task is begun when it is due, by one worker of the store, and holds up nothing else."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from patience import PATIENCE_S
from runbook.store.store import Store
from runbook.worker import periodic
from runbook.worker.periodic import Periodic, Scope, Task


class Pool(ThreadPoolExecutor):
    """A pool whose work can be waited for."""

    def __init__(self):
        super().__init__(8)
        self.futures = []

    def submit(self, *args, **more):
        self.futures.append(super().submit(*args, **more))
        return self.futures[-1]

    def settle(self):
        """Wait for all that was submitted. How much that was."""
        futures, self.futures = self.futures, []
        wait(futures)
        return len(futures)


class Time:
    """One clock for the store (milliseconds) and for the loop (seconds)."""

    now = 1_700_000_000.0

    def monotonic(self):
        return self.now

    def milliseconds(self):
        return round(self.now * 1000)


@pytest.fixture
def time(monkeypatch):
    time = Time()
    monkeypatch.setattr(periodic, "time", time)
    return time


@pytest.fixture
def store(tmp_path, time):
    store = Store(f"sqlite:///{tmp_path}/store.db", clock=time.milliseconds)
    store.maintenance.migrate()
    yield store
    store.close()


@pytest.fixture
def pool():
    with Pool() as pool:
        yield pool


@pytest.fixture
def done():
    return []


@pytest.fixture
def worker(store, done):
    """A worker's tasks: one for each scope, every minute."""

    def make(name, *more):
        def task(scope):
            return Task(scope.name, scope, 60, lambda: done.append((name, scope.name)))

        return Periodic([*(task(scope) for scope in Scope), *more], store.leases, name)

    return make


def test_a_task_is_begun_once_per_interval(worker, pool, time, done):
    one = worker("one")
    for seconds, begun in ((0, 3), (59, 0), (1, 3), (30, 0), (30, 3)):
        time.now += seconds
        one.start_due(pool)
        assert pool.settle() == begun
    assert len(done) == 9


def test_of_two_workers_one_does_what_concerns_the_store(worker, pool, time, done):
    one, two = worker("one"), worker("two")
    for _ in range(4):
        for each in (one, two):
            each.start_due(pool)
            pool.settle()
            time.now += 30
    assert done.count(("one", "STORE")) == 4
    assert ("two", "STORE") not in done
    assert done.count(("two", "HOST")) == done.count(("two", "PROCESS")) == 4


def test_the_other_takes_over_when_one_is_gone(worker, pool, time, done):
    one, two = worker("one"), worker("two")
    one.start_due(pool)
    pool.settle()
    time.now += 30
    two.start_due(pool)
    pool.settle()
    time.now += 30  # sooner than its own interval: it knows when the task is due
    two.start_due(pool)
    pool.settle()
    assert ("two", "STORE") in done


@pytest.mark.parametrize("scope", Scope)
def test_a_task_that_fails_is_named_and_tried_again(worker, pool, time, store, caplog, scope):
    def fail():
        raise ZeroDivisionError

    one = worker("one", Task("broken", scope, 60, fail))
    for _ in range(2):
        one.start_due(pool)
        pool.settle()
        time.now += 60
    failures = [r for r in caplog.records if r.getMessage() == "task.failed"]
    assert [record.fields["task"] for record in failures] == ["broken", "broken"]
    leases = {lease.task: lease for lease in store.leases.all()}
    assert leases["STORE"].last_success > 0
    if scope is Scope.STORE:
        assert leases["broken"].last_success == 0
        assert leases["broken"].holder is None


def test_a_slow_task_holds_up_nobody_and_keeps_its_lease(worker, pool, time, store, done):
    begun, gate, times = threading.Event(), threading.Event(), []

    def slow():
        times.append(time.now)
        begun.set()
        gate.wait(PATIENCE_S)

    one = worker("one", Task("slow", Scope.STORE, 60, slow))
    two = worker("two", Task("slow", Scope.STORE, 60, slow))
    one.start_due(pool)
    assert begun.wait(PATIENCE_S)
    for _ in range(10):
        time.now += 60
        one.renew()
        for each in (one, two):
            each.start_due(pool)
    assert len(times) == 1
    gate.set()
    pool.settle()
    (lease,) = [lease for lease in store.leases.all() if lease.task == "slow"]
    assert lease.holder is None
    one.renew()  # nothing to renew any more
    assert next(item for item in store.leases.all() if item.task == "slow") == lease


def test_a_store_that_cannot_be_asked_is_asked_again(worker, pool, time, store, done, monkeypatch):
    one = worker("one")
    with monkeypatch.context() as broken:
        broken.setattr(store.leases, "take", lambda *_: 1 / 0)
        one.start_due(pool)
        pool.settle()
    assert ("one", "STORE") not in done
    time.now += 60
    one.start_due(pool)
    pool.settle()
    assert ("one", "STORE") in done
