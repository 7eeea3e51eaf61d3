"""Of all workers of a store, one does a periodic task, once per interval."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from patience import PATIENCE_S
from runbook.store.leases import LEASE_INTERVALS, Lease
from runbook.store.store import Store

MINUTE = 60_000


def state(store):
    (lease,) = store.leases.all()
    return lease


def test_the_first_who_asks_has_it(store, clock):
    assert store.leases.take("purge", "a", MINUTE) == 0
    now = clock()
    assert state(store) == Lease("purge", "a", now + LEASE_INTERVALS * MINUTE, now, 0)


def test_while_it_is_held_nobody_else_gets_it(store, clock):
    store.leases.take("purge", "a", MINUTE)
    clock.now += 2 * MINUTE
    assert store.leases.take("purge", "b", MINUTE) == MINUTE
    assert store.leases.take("purge", "a", MINUTE) == MINUTE
    assert state(store).holder == "a"


def test_a_task_that_was_done_is_due_after_its_interval(store, clock):
    store.leases.take("purge", "a", MINUTE)
    clock.now += 1000
    store.leases.give_back("purge", "a", done=True)
    assert state(store).last_success == clock()
    assert not state(store).failed
    assert store.leases.take("purge", "b", MINUTE) == MINUTE - 1000
    clock.now += MINUTE - 1000
    assert store.leases.take("purge", "b", MINUTE) == 0


def test_a_task_that_failed_too(store, clock):
    store.leases.take("purge", "a", MINUTE)
    store.leases.give_back("purge", "a", done=False)
    assert state(store).failed
    assert store.leases.take("purge", "b", MINUTE) == MINUTE
    clock.now += MINUTE
    assert store.leases.take("purge", "b", MINUTE) == 0


def test_the_lease_of_a_dead_holder_runs_out(store, clock):
    store.leases.take("purge", "a", MINUTE)
    clock.now += LEASE_INTERVALS * MINUTE - 1
    assert store.leases.take("purge", "b", MINUTE) == 1
    clock.now += 1
    assert store.leases.take("purge", "b", MINUTE) == 0
    store.leases.give_back("purge", "a", done=True)  # it was only slow: too late
    assert state(store).holder == "b"
    assert not store.leases.renew("purge", "a", MINUTE)


def test_a_lease_that_is_renewed_does_not_run_out(store, clock):
    store.leases.take("purge", "a", MINUTE)
    for _ in range(3 * LEASE_INTERVALS):
        clock.now += MINUTE
        assert store.leases.renew("purge", "a", MINUTE)
        assert store.leases.take("purge", "b", MINUTE)


@pytest.mark.parametrize("given_back", [True, False])
def test_a_clock_that_is_set_back_holds_nobody_up(store, clock, given_back):
    store.leases.take("purge", "a", MINUTE)
    if given_back:
        store.leases.give_back("purge", "a", done=True)
    clock.now -= 365 * 24 * 60 * MINUTE
    assert store.leases.take("purge", "b", MINUTE) == 0
    assert state(store).until == clock() + LEASE_INTERVALS * MINUTE


def test_tasks_are_apart(store):
    assert [store.leases.take(task, "a", MINUTE) for task in ("purge", "reap")] == [0, 0]
    assert [lease.task for lease in store.leases.all()] == ["purge", "reap"]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("_again", range(10))
def test_of_many_threads_one_gets_it(store, clock, known, _again):
    if known:
        store.leases.take("purge", "earlier", MINUTE)
        clock.now += LEASE_INTERVALS * MINUTE
    barrier = Barrier(8)

    def ask(number):
        barrier.wait()
        return store.leases.take("purge", f"w{number}", MINUTE)

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(ask, range(8)))
    assert waits.count(0) == 1
    assert state(store).holder == f"w{waits.index(0)}"


def ask_in_a_process(url, number, barrier, answers):
    store = Store(url)
    won = 0
    for turn in range(20):
        barrier.wait(PATIENCE_S)
        won += store.leases.take(f"task-{turn}", f"w{number}", MINUTE) == 0
    answers.put(won)
    store.close()


def test_of_many_processes_one_gets_it(url):
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(3), context.SimpleQueue()
    processes = [
        context.Process(target=ask_in_a_process, args=(url, number, barrier, answers))
        for number in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
    assert sum(answers.get() for _ in processes) == 20
