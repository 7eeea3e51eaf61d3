"""Threads that want the same thing: one gets it."""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock

import pytest
import sqlalchemy as sa

from runbook.core.events import EventType
from runbook.core.run_files import RunFile, RunFiles, digest_of
from runbook.core.status import RunStatus
from runbook.errors import ConflictError, QueueFullError
from runbook.store.tables import blobs, locks


def together(*calls):
    """Call all at the same moment; results, with conflicts as None."""
    barrier = Barrier(len(calls))

    def call(function):
        barrier.wait()
        try:
            return function()
        except (ConflictError, QueueFullError):
            return None

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


def endings(store, run_id):
    return [event for event in store.events.after(run_id) if event.type is EventType.DONE]


@pytest.mark.parametrize("_again", range(20))
def test_of_two_endings_one_happens(helper, store, _again):
    run = helper.running()
    results = together(
        lambda: helper.finish(run.id, RunStatus.CANCELLED, durable=False),
        lambda: helper.finish(run.id, RunStatus.SUCCEEDED, worker_id="w", durable=False),
        lambda: helper.finish(run.id, RunStatus.LOST, durable=False),
    )
    (won,) = [result for result in results if result]
    assert store.runs.get(run.id) == won
    assert len(endings(store, run.id)) == 1


@pytest.mark.parametrize("_again", range(20))
def test_a_request_to_cancel_never_changes_an_ended_run(helper, store, _again):
    run = helper.running()
    asked, ended = together(
        lambda: store.runs.request_cancel(run.id, "ada"),
        lambda: helper.finish(run.id, worker_id="w", durable=False),
    )
    now = store.runs.get(run.id)
    assert now.status is RunStatus.SUCCEEDED
    assert now.cancel == asked.cancel
    assert (asked.cancel is None) is asked.status.terminal
    assert ended.cancel == now.cancel


@pytest.mark.parametrize("_again", range(20))
def test_cancelling_from_the_queue_against_a_claim(helper, store, _again):
    run = helper.queued()
    claimed, cancelled = together(
        lambda: store.runs.claim("w", root_slots=1),
        lambda: helper.finish(run.id, RunStatus.CANCELLED, durable=False),
    )
    assert cancelled
    assert store.runs.get(run.id).status is RunStatus.CANCELLED
    started = [e for e in store.events.after(run.id) if e.type is EventType.STARTED]
    assert len(started) == bool(claimed)


def test_each_run_is_claimed_once(helper, store):
    made = {helper.queued().id for _ in range(40)}
    names = [f"w{n}" for n in range(8)]

    def drain(worker):
        claims = iter(lambda: store.runs.claim(worker, root_slots=1), None)
        return [claimed.run.id for claimed in claims]

    claimed = list(itertools.chain(*together(*[lambda w=w: drain(w) for w in names])))
    assert len(claimed) == 40
    assert set(claimed) == made


def test_numbers_have_no_gap_when_threads_append(helper, store):
    run = helper.running()

    def append():
        return [store.events.append(run.id, [helper.event()], worker_id="w") for _ in range(10)]

    last = together(*[append] * 8)
    assert sorted(itertools.chain(*last)) == list(range(3, 83))
    assert [event.n for event in store.events.after(run.id)] == list(range(1, 83))


def test_the_queue_never_overflows(helper, store):
    made = together(*[lambda: helper.submit(max_queued=5)] * 20)
    assert len([run for run in made if run]) == 5
    assert store.runs.queue_stats().queued == 5


def test_revisions_are_unique(helper, store):
    runs = [helper.running(ref=f"{n % 3}.md") for n in range(12)]
    together(*[lambda r=r: helper.finish(r.id, durable=False) for r in runs])
    rows = store.runbooks.last_runs().rows
    assert len({row.revision for row in rows}) == 3
    assert max(row.revision for row in rows) >= 12


@pytest.mark.parametrize("_again", range(20))
def test_what_two_submits_share_is_kept_once(helper, store, _again):
    """A new document, and new files that they name in another order."""
    contents = [f"{_again} {n}".encode() for n in range(5)]

    def submit(ordered):
        names = [RunFile(f"f{n}", 0o600, digest_of(c), len(c)) for n, c in enumerate(ordered)]
        kept = {digest_of(content): content for content in ordered}
        return lambda: helper.submit(files=RunFiles(tuple(names), kept))

    made = together(*map(submit, (contents, contents[::-1], contents)))
    assert [len(store.blobs.files_of(run.id)) for run in made] == [5, 5, 5]
    assert store._database.read(lambda c: len(c.execute(sa.select(blobs)).all())) == 5


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_lock_never_has_more_holders_than_places(helper, store, capacity):
    """Eight workers claim and end runs of three locks, until every run has had its turn."""
    names = [("a",), ("b",), ("a", "b"), ("c",)]
    wanted = {
        helper.queued(locks=helper.locks(*names[n % 4], capacity=capacity)).id: names[n % 4]
        for n in range(32)
    }
    holding, most, guard = Counter(), Counter(), Lock()

    def work(worker):
        ended = []
        while store.runs.queue_stats().queued:
            claimed = store.runs.claim(worker, root_slots=1)
            if claimed is None:
                continue
            run_id = claimed.run.id
            with guard:
                holding.update(wanted[run_id])
                most.update({n: holding[n] - most[n] for n in names[2] if holding[n] > most[n]})
            store.events.append(run_id, [helper.event()], worker_id=worker)
            with guard:
                holding.subtract(wanted[run_id])
            helper.finish(run_id, worker_id=worker, durable=False)
            ended.append(run_id)
        return ended

    ended = list(itertools.chain(*together(*[lambda w=f"w{n}": work(w) for n in range(8)])))
    assert sorted(ended) == sorted(wanted)
    assert store.runs.queue_stats().waiting == 0
    assert max(most.values()) <= capacity
    assert store._database.read(lambda c: c.execute(sa.select(locks)).all()) == []


@pytest.mark.parametrize("_again", range(20))
def test_a_waiter_is_not_forgotten_when_the_holder_ends_meanwhile(helper, store, _again):
    first, second = (helper.queued(locks=helper.locks("a")) for _ in range(2))
    store.runs.claim("w", root_slots=1, only=first.id)
    claimed, _ended = together(
        lambda: store.runs.claim("w", root_slots=1),
        lambda: helper.finish(first.id, durable=False),
    )
    claimed = claimed or store.runs.claim("w", root_slots=1)
    assert claimed.run.id == second.id


@pytest.mark.parametrize("_again", range(20))
def test_a_waiter_is_ended_once_whether_cancelled_or_let_go(helper, store, _again):
    first, second = (helper.queued(locks=helper.locks("a")) for _ in range(2))
    store.runs.claim("w", root_slots=1)
    assert store.runs.claim("w", root_slots=1) is None
    together(
        lambda: store.runs.request_cancel(second.id, "ada"),
        lambda: helper.finish(first.id, durable=False),
    )
    claimed = store.runs.claim("w", root_slots=1)
    assert (claimed.run.id, claimed.busy) == (second.id, None)
    assert store._database.read(lambda c: c.execute(sa.select(locks)).all()) == []
