"""Locks: taken with the claim, given back with the end, inherited by the runs that a run calls."""

import pytest
import sqlalchemy as sa

from runbook.core.events import EventType
from runbook.core.run import LockRequest, LockWant
from runbook.core.status import RunStatus
from runbook.core.times import iso
from runbook.core.waiting import LockWait
from runbook.errors import QueueFullError
from runbook.store.tables import locks


@pytest.fixture
def want(helper):
    """A queued run that wants locks; `below` is the run that calls it."""

    def call(*names, capacity=1, waits=True, below=None, **changes):
        if below is not None:
            changes |= {"parent_id": below.id, "root_id": below.tree_id}
        request = helper.locks(*names, capacity=capacity, waits=waits) if names else None
        return helper.queued(locks=request, **changes)

    return call


@pytest.fixture
def claim(store):
    """Claim one run: `running`, `waiting` or `busy`."""

    def call(run, worker="w"):
        claimed = store.runs.claim(worker, root_slots=1, only=run.id)
        if claimed is None:
            return str(store.runs.get(run.id).status)
        assert claimed.run.status is RunStatus.RUNNING
        return "busy" if claimed.busy else "running"

    return call


@pytest.fixture
def holding(want, claim):
    """A run that was claimed with its locks."""

    def call(*names, **options):
        run = want(*names, **options)
        assert claim(run) == "running"
        return run

    return call


def places(store):
    """Who holds what: pairs of a lock's name and a run's number."""
    found = sa.select(locks.c.name, locks.c.run_seq)
    return {tuple(row) for row in store._database.read(lambda c: c.execute(found).all())}


def kinds(store, run):
    return [event.type for event in store.events.after(run.id)]


def status(store, run):
    return store.runs.get(run.id).status


class TestTaking:
    def test_a_run_holds_its_locks_from_its_claim_to_its_end(self, helper, store, want, claim):
        run = want("a", "b")
        assert places(store) == set()
        assert claim(run) == "running"
        assert places(store) == {("a", run.seq), ("b", run.seq)}
        assert helper.finish(run.id) == store.runs.get(run.id)
        assert places(store) == set()

    def test_a_dry_run_takes_none_and_waits_for_none(self, store, holding, want, claim):
        first = holding("a")
        assert claim(want("a", dry_run=True)) == "running"
        assert places(store) == {("a", first.seq)}

    def test_a_second_one_waits_and_says_for_whom(self, helper, store, holding, want, claim):
        helper.clock.now += 7
        first = holding("a")
        helper.clock.now += 1000
        second = want("a")
        assert claim(second) == "waiting"
        waiting = store.runs.get(second.id)
        since = helper.clock.now - 1000
        assert waiting.waiting == LockWait("a", first.id, "a/Runbook.md", "ada", since)
        assert (waiting.worker_id, waiting.times.started_at, waiting.log.last_event) == (
            None,
            None,
            2,
        )
        event = store.events.after(second.id)[-1]
        assert (event.type, event.at) == (EventType.WAITING, helper.clock.now)
        assert event.data["code"] == "lock_held"
        assert event.data["params"]["run_id"] == first.id
        assert {k: event.data[k] for k in event.data if k not in ("code", "params")} == {
            "kind": "lock",
            "lock": "a",
            "held_by": first.id,
            "runbook": "a/Runbook.md",
            "by": "ada",
            "since": iso(since),
            "reason": f"waits for lock a, held by run {first.id} of a/Runbook.md, "
            f"started by ada since {iso(since)}",
        }

    def test_of_several_holders_the_first_is_named(self, helper, store, want, claim):
        later, first = want("a", capacity=2), want("a", capacity=2)
        for run in (first, later):
            assert claim(run) == "running"
            helper.clock.now += 1
        run = want("a", capacity=2)
        assert claim(run) == "waiting"
        assert store.runs.get(run.id).waiting.run_id == first.id

    def test_all_or_nothing(self, store, holding, want, claim):
        first = holding("b")
        assert claim(want("a", "b", "c")) == "waiting"
        assert places(store) == {("b", first.seq)}
        assert claim(want("a", "c")) == "running"

    def test_the_claim_goes_on_to_the_next_run(self, store, holding, want):
        holding("a")
        waits = [want("a"), want("a")]
        free = want("b")
        assert store.runs.claim("w", root_slots=1).run.id == free.id
        assert [status(store, run) for run in waits] == [RunStatus.WAITING] * 2
        assert store.runs.claim("w", root_slots=1) is None

    def test_as_many_as_the_lock_has_places(self, helper, store, holding, want, claim):
        first, _second = holding("a", capacity=2), holding("a", capacity=2)
        third = want("a", capacity=2)
        assert claim(third) == "waiting"
        helper.finish(first.id)
        assert claim(third) == "running"

    def test_who_wants_it_alone_waits_for_all(self, helper, store, holding, want, claim):
        shared = [holding("a", capacity=2), holding("a", capacity=2)]
        alone = want("a")
        assert claim(alone) == "waiting"
        helper.finish(shared[0].id)
        assert claim(alone) == "waiting"
        assert store.runs.get(alone.id).waiting.run_id == shared[1].id
        helper.finish(shared[1].id)
        assert claim(alone) == "running"

    def test_a_run_that_does_not_wait_is_claimed_as_busy(self, helper, store, holding, want):
        first = holding("a")
        run = want("a", "b", waits=False)
        claimed = store.runs.claim("w", root_slots=1)
        assert claimed.run == store.runs.get(run.id)
        assert claimed.busy == LockWait("a", first.id, first.ref, "ada", helper.clock.now)
        assert kinds(store, run) == [EventType.QUEUED, EventType.STARTED]
        helper.finish(run.id, RunStatus.FAILED)
        assert places(store) == {("a", first.seq)}

    def test_names_are_told_apart_exactly(self, holding):
        for name in ("device:r1", "device:R1", "device:r1 ", "device:r%", "", "é"):
            holding(name)

    def test_a_name_that_no_database_takes_is_a_lock_too(self, holding, want, claim):
        first = holding("a\ud800", "a\ud800")
        assert first.request.locks.wants[0].name == "a?"
        assert claim(want("a\ud801")) == "waiting"

    def test_no_wants_are_no_locks(self, helper, claim):
        assert claim(helper.queued(locks=LockRequest(()))) == "running"

    def test_they_are_kept_with_the_run(self, helper, store):
        request = LockRequest((LockWant("a"), LockWant("b", 3)), waits=False)
        assert store.runs.get(helper.queued(locks=request).id).request.locks == request


class TestInheriting:
    def test_a_child_has_the_locks_of_its_ancestors(self, helper, store, holding, want, claim):
        root = holding("a")
        child = holding("b", below=root)
        grandchild = want("a", "b", "c", below=child)
        assert claim(grandchild) == "running"
        owned = {("a", root.seq), ("b", child.seq), ("c", grandchild.seq)}
        assert places(store) == owned
        helper.finish(grandchild.id)
        assert places(store) == owned - {("c", grandchild.seq)}

    def test_a_child_does_not_give_back_what_it_inherited(self, helper, holding, want, claim):
        root = holding("a")
        child = holding("a", below=root)
        helper.finish(child.id)
        assert claim(want("a")) == "waiting"

    def test_not_those_of_a_sibling(self, helper, holding, want, claim):
        root = holding()
        first, second = holding("a", below=root), want("a", below=root)
        assert claim(second) == "waiting"
        helper.finish(first.id)
        assert claim(second) == "running"

    def test_not_those_of_a_nephew(self, holding, want, claim):
        root = holding()
        holding("a", below=holding(below=root))
        assert claim(want("a", below=root)) == "waiting"

    def test_an_ancestors_place_is_not_counted(self, holding, want, claim):
        root = holding("a", capacity=2)
        holding("a", capacity=2)
        assert claim(want("a", capacity=2, below=root)) == "running"

    def test_it_waits_without_a_slot(self, store, holding, want):
        root = holding()
        holding("a")
        run = want("a", below=root)
        assert store.runs.claim("w", root_slots=0) is None
        assert status(store, run) is RunStatus.WAITING


class TestGoingOn:
    def test_the_oldest_goes_first_and_the_others_wait_for_it(self, helper, store, holding, want):
        first = holding("a")
        waits = [want("a") for _ in range(3)]
        assert store.runs.claim("w", root_slots=1) is None
        helper.finish(first.id)
        assert [status(store, run) for run in waits] == [RunStatus.QUEUED] * 3
        assert [store.runs.get(run.id).waiting for run in waits] == [None] * 3
        assert store.runs.claim("w", root_slots=1).run.id == waits[0].id
        assert store.runs.claim("w", root_slots=1) is None
        assert [store.runs.get(run.id).waiting.run_id for run in waits[1:]] == [waits[0].id] * 2
        assert kinds(store, waits[1])[1:] == [EventType.WAITING] * 2
        assert kinds(store, waits[0])[1:] == [EventType.WAITING, EventType.STARTED]

    def test_how_many_may_go_on(self, helper, store, holding, want, claim):
        both, other = holding("a", "b"), holding("c")
        for name in ("a", "a", "b", "c"):
            assert claim(want(name)) == "waiting"
        assert self.finish(helper, both).going_on == 2
        assert self.finish(helper, other).going_on == 1
        assert self.finish(helper, holding("d")).going_on == 0
        assert self.finish(helper, holding()).going_on == 0

    def finish(self, helper, run):
        outcome = helper.outcome(RunStatus.SUCCEEDED)
        return helper.store.runs.finish(run.id, outcome, [helper.done()])

    def test_a_waiter_of_another_lock_is_left_alone(self, helper, store, holding, want, claim):
        first, second = holding("a"), holding("b")
        run = want("a", "b")
        assert claim(run) == "waiting"
        helper.finish(second.id)
        assert store.runs.get(run.id).waiting.run_id == first.id
        assert len(store.events.after(run.id)) == 2
        helper.finish(first.id)
        assert claim(run) == "running"

    def test_it_may_have_to_wait_for_another_lock_then(self, helper, store, holding, want, claim):
        first, second = holding("a"), holding("b")
        run, after = want("a", "b"), want("a")
        assert (claim(run), claim(after)) == ("waiting", "waiting")
        helper.finish(first.id)
        assert claim(run) == "waiting"
        assert store.runs.get(run.id).waiting.run_id == second.id
        assert claim(after) == "running"

    @pytest.mark.parametrize("ending", [RunStatus.LOST, RunStatus.CANCELLED, RunStatus.FAILED])
    def test_however_the_holder_ends(self, helper, holding, want, claim, ending):
        first, run = holding("a"), want("a")
        assert claim(run) == "waiting"
        helper.finish(first.id, ending)
        assert claim(run) == "running"

    def test_a_waiter_may_be_lost(self, helper, store, holding, want, claim):
        holding("a")
        run = want("a", assigned_to="w")
        assert claim(run) == "waiting"
        lost = helper.finish(run.id, RunStatus.LOST)
        assert (lost.status, lost.waiting) == (RunStatus.LOST, None)
        assert store.runs.get(run.id) == lost


class TestCancelling:
    def test_a_waiter_is_queued_again_and_claimed_without_its_locks(
        self, helper, store, holding, want, claim
    ):
        first, run = holding("a"), want("a", "b")
        assert claim(run) == "waiting"
        asked = store.runs.request_cancel(run.id, "bob")
        assert (asked.status, asked.waiting) == (RunStatus.QUEUED, None)
        claimed = store.runs.claim("w", root_slots=0)
        assert (claimed.run.id, claimed.busy) == (run.id, None)
        assert places(store) == {("a", first.seq)}
        helper.finish(run.id, RunStatus.CANCELLED)
        assert places(store) == {("a", first.seq)}

    def test_a_holder_keeps_its_locks_until_it_has_ended(self, store, holding, want, claim):
        first = holding("a")
        store.runs.request_cancel(first.id, "bob")
        assert status(store, first) is RunStatus.RUNNING
        assert claim(want("a")) == "waiting"


class TestWaitingForEver:
    @pytest.fixture
    def trees(self, holding):
        """Two runs that each hold a lock, whose name is theirs."""
        return holding("a"), holding("b")

    def test_a_ring_of_two(self, helper, store, trees, want, claim):
        one, two = trees
        assert claim(want("b", below=one)) == "waiting"
        last = want("a", below=two)
        claimed = store.runs.claim("w", root_slots=0)
        assert (claimed.run.id, claimed.busy.run_id) == (last.id, one.id)
        helper.finish(last.id, RunStatus.FAILED)
        helper.finish(two.id, RunStatus.FAILED)
        assert store.runs.claim("w", root_slots=0).run.tree.parent_id == one.id

    def test_a_ring_of_three_through_grandchildren(self, trees, holding, want, claim):
        one, two = trees
        three = holding("c")
        assert claim(want("b", below=holding(below=one))) == "waiting"
        assert claim(want("c", below=holding(below=two))) == "waiting"
        assert claim(want("a", below=holding(below=three))) == "busy"

    def test_a_ring_within_one_tree(self, holding, want, claim):
        root = holding()
        one, two = holding("a", below=root), holding("b", below=root)
        assert claim(want("b", below=one)) == "waiting"
        assert claim(want("a", below=two)) == "busy"

    def test_a_chain_is_no_ring(self, trees, holding, want, claim):
        one, two = trees
        three = holding("c")
        assert claim(want("b", below=one)) == "waiting"
        assert claim(want("c", below=two)) == "waiting"
        assert claim(want("d", below=three)) == "running"

    def test_a_holder_that_does_not_wait_ends(self, trees, holding, want, claim):
        """The holder is a descendant of the waiting run, but the run needs none of its locks."""
        one, two = trees
        assert claim(want("b", below=one)) == "waiting"
        holding("c", below=one)
        assert claim(want("c", below=two)) == "waiting"

    def test_what_it_inherits_does_not_stand_in_its_way(self, helper, trees, holding, want, claim):
        one, two = trees
        free = holding("c")
        assert claim(want("b", below=one)) == "waiting"
        run = want("b", "c", below=two)
        assert claim(run) == "waiting"
        helper.finish(free.id)
        assert claim(run) == "running"

    def test_roots_may_wait_for_anybody(self, trees, want, claim):
        one, _two = trees
        assert claim(want("b", below=one)) == "waiting"
        assert claim(want("a", "b")) == "waiting"

    def test_of_a_lock_of_two_places_one_is_enough(self, helper, holding, want, claim):
        one, free = holding("a", capacity=2), holding("a", capacity=2)
        two = holding("b")
        assert claim(want("b", below=one)) == "waiting"
        run = want("a", capacity=2, below=two)
        assert claim(run) == "waiting"
        helper.finish(free.id)
        assert claim(run) == "running"

    def test_both_places_in_the_ring(self, holding, want, claim):
        one, other = holding("a", capacity=2), holding("a", capacity=2)
        two = holding("b")
        assert claim(want("b", below=one)) == "waiting"
        assert claim(want("b", below=other)) == "waiting"
        assert claim(want("a", capacity=2, below=two)) == "busy"


def test_runs_that_wait_count_against_the_limit_of_the_queue(helper, holding, want, claim):
    holding("a")
    assert claim(want("a")) == "waiting"
    helper.submit(max_queued=2)
    with pytest.raises(QueueFullError):
        helper.submit(max_queued=2)


def test_a_purge_leaves_nothing(helper, store, holding, want, claim):
    first, second = holding("a"), want("a")
    assert claim(second) == "waiting"
    for run in (first, second):
        helper.finish(run.id, RunStatus.LOST)
    helper.clock.now += 1
    assert store.maintenance.purge(helper.clock.now).runs == 2
    assert places(store) == set()


def test_a_run_without_locks_costs_no_statement_more(helper, store):
    """Claim: update, event, document. End: no more than of a run that never heard of locks."""
    counted = []
    sa.event.listen(
        store._database.engine(), "before_cursor_execute", lambda *args: counted.append(args[2])
    )
    run = helper.queued()
    counted.clear()
    store.runs.claim("w", root_slots=1, expected=True)
    counted = [text for text in counted if text != "BEGIN IMMEDIATE"]
    assert [text.split()[0] for text in counted] == ["UPDATE", "INSERT", "SELECT"]
    counted.clear()
    helper.finish(run.id)
    assert not any("locks " in text or "WITH" in text for text in counted)
