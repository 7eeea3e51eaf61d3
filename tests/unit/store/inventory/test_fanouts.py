"""Fan-outs in the database: who is next, what has ended, what an earlier run has done."""

from dataclasses import replace

import pytest

from runbook.core.audit import Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.document import Problem
from runbook.core.events import EventType
from runbook.core.fanout.limits import Limits, WhenBusy
from runbook.core.fanout.progress import Counts, DeviceState, StopReason
from runbook.core.fanout.views import Fanout, FanoutPlace
from runbook.core.outcome import Outcome
from runbook.core.run import Relation, RerunOf
from runbook.core.status import RunStatus

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def fan_out(store, clock):
    def plan(run, devices=NAMES, step=1, session="s", ref="Poll.md", **more):
        def made(n):
            place = FanoutPlace(step, session, 1)
            return Fanout(
                run.seq, n, place, ref, "ROUTER", Limits(2), WhenBusy.WAIT, clock(), **more
            )

        return store.fanouts.create(run, made, devices)

    return plan


@pytest.fixture
def start(store, helper):
    """Start the next devices, each by a running child run. Returns these by device."""

    def take(parent, fanout, most=2):
        turn = store.fanouts.take(fanout, most)
        children = {}
        for device in turn.starting:
            child = helper.running(parent_id=parent.id, root_id=parent.id)
            store.fanouts.attach(fanout, device, child.id)
            children[device.device] = child
        return children

    return take


def finish(store, helper, child, status, *problems, events=()):
    outcome = Outcome(status, 1, errors=problems)
    store.runs.finish(child.id, outcome, [*events, helper.done()])


def states(store, run):
    return {one.device: one.state for one in store.fanouts.page(run).devices}


def test_a_fan_out_comes_back_as_it_was(store, helper, fan_out):
    run = helper.running()
    made = fan_out(run, paused=True)
    assert store.fanouts.get(run, 1) == made
    assert store.fanouts.get(run, 2) is None
    assert store.devices.fanouts_of(run) == 1
    assert store.fanouts.get(helper.running(), 1) is None
    assert store.fanouts.counts(made) == Counts(pending=4)
    store.fanouts.finish(made, StopReason.CANARY)
    ended = store.fanouts.get(run, 1)
    assert (ended.stopped, ended.finished_at) == (StopReason.CANARY, made.created_at)


def test_each_device_is_taken_once_and_settled_once(store, helper, clock, fan_out, start):
    run = helper.running()
    fanout = fan_out(run)
    children = start(run, fanout)
    assert [*children] == ["a", "b"]
    assert [*start(run, fanout)] == ["c", "d"]
    assert start(run, fanout) == {}
    assert store.fanouts.settle(fanout) == []

    progress = helper.event(EventType.PROGRESS, data={"percent": 40.0, "text": "Reading"})
    store.events.append(children["a"].id, [progress], worker_id="w")
    output = helper.output("first\nno route\n\n", kind=EventType.STDERR)
    finish(store, helper, children["a"], RunStatus.FAILED, events=[output])
    finish(store, helper, children["b"], RunStatus.TIMED_OUT, Problem("timed_out", "Too late"))
    shown = {one.device: one for one in store.fanouts.page(run).devices}
    assert shown["a"].state is DeviceState.FAILED
    (counted,) = store.fanouts.of(run)
    assert counted.counts == Counts(running=2, failed=2)

    first, second = store.fanouts.settle(fanout)
    assert (first.state, first.message, first.phase, first.percent, first.run_id) == (
        DeviceState.FAILED, "no route", "Reading", 40.0, children["a"].id
    )  # fmt: skip
    assert (second.code, second.message, second.duration_ms) == ("timed_out", "Too late", 0)
    assert store.fanouts.settle(fanout) == []
    assert store.fanouts.counts(fanout) == Counts(running=2, failed=2)
    assert {one.device: one for one in store.fanouts.page(run).devices} == shown


def test_what_a_failed_step_said_says_more_than_that_it_failed(store, helper, fan_out, start):
    run = helper.running()
    fanout = fan_out(run)
    loud, silent = start(run, fanout).values()
    failed = Problem("step_failed", "Step 1 'Check' failed with return code 40")
    output = helper.output("refused: no answer\n", kind=EventType.STDERR)
    finish(store, helper, loud, RunStatus.FAILED, failed, events=[output])
    finish(store, helper, silent, RunStatus.FAILED, failed)
    settled = store.fanouts.settle(fanout)
    assert [(one.code, one.message) for one in settled] == [
        ("step_failed", "refused: no answer"), ("step_failed", failed.message),
    ]  # fmt: skip


def test_a_device_without_a_child_run_is_started_again(store, helper, fan_out):
    run = helper.running()
    fanout = fan_out(run)
    taken = store.fanouts.take(fanout, 1).starting
    assert store.fanouts.unstarted(fanout) == list(taken)
    # It stays like this if that was interrupted and the run has ended, too.
    assert store.fanouts.counts(fanout) == Counts(pending=3, running=1)
    assert states(store, run) == dict.fromkeys(NAMES, DeviceState.PENDING)
    assert len(store.fanouts.page(run, states=[DeviceState.PENDING]).devices) == 4
    assert store.fanouts.page(run, states=[DeviceState.RUNNING]).devices == []
    assert store.fanouts.of(run)[0].counts == Counts(pending=4)
    store.fanouts.change(fanout, replace(taken[0], state=DeviceState.PENDING))
    assert store.fanouts.unstarted(fanout) == []
    assert store.fanouts.counts(fanout) == Counts(pending=4)


def test_a_run_that_was_busy_is_skipped_and_says_nothing_about_the_device(
    store, helper, fan_out, start
):
    run = helper.running()
    fanout = fan_out(run, ["a"])
    finish(store, helper, start(run, fanout)["a"], RunStatus.FAILED, Problem("lock_held", "Busy"))
    (settled,) = store.fanouts.settle(fanout)
    assert (settled.state, settled.code) == (DeviceState.SKIPPED, "lock_held")
    for _ in range(9):
        again = fan_out(run, ["a"])
        busy = Problem("lock_held", "Busy")
        finish(store, helper, start(run, again)["a"], RunStatus.FAILED, busy)
        store.fanouts.settle(again)


def test_a_breaker_opens_and_closes_for_a_runbook_and_a_device(
    store, helper, clock, fan_out, start
):
    run = helper.running()

    def attempt(status, ref="Poll.md"):
        fanout = fan_out(run, ["a"], ref=ref)
        for child in start(run, fanout).values():
            finish(store, helper, child, status)
        store.fanouts.settle(fanout)
        return store.fanouts.page(run, after=(fanout.n, 0)).devices[0]

    for _ in range(5):
        assert attempt(RunStatus.FAILED).state is DeviceState.FAILED
    skipped = attempt(RunStatus.FAILED)
    assert (skipped.state, skipped.code) == (DeviceState.SKIPPED, "breaker_open")
    assert skipped.until == clock.now + 30_000
    assert attempt(RunStatus.SUCCEEDED, ref="Other.md").state is DeviceState.SUCCEEDED

    clock.now += 30_000
    assert attempt(RunStatus.TIMED_OUT).state is DeviceState.FAILED
    clock.now += 59_999
    assert attempt(RunStatus.FAILED).state is DeviceState.SKIPPED
    clock.now += 1
    assert attempt(RunStatus.SUCCEEDED).state is DeviceState.SUCCEEDED
    for _ in range(4):
        assert attempt(RunStatus.FAILED).state is DeviceState.FAILED
    assert attempt(RunStatus.SUCCEEDED).state is DeviceState.SUCCEEDED


def test_dry_runs_open_no_breaker(store, helper, fan_out, start):
    run = helper.running()
    for _ in range(6):
        fanout = fan_out(run, ["a"])
        store.fanouts.take(fanout, 1)
        child = helper.running(parent_id=run.id, root_id=run.id, dry_run=True)
        store.fanouts.attach(fanout, store.fanouts.unstarted(fanout)[0], child.id)
        finish(store, helper, child, RunStatus.FAILED)
        (settled,) = store.fanouts.settle(fanout)
        assert settled.state is DeviceState.FAILED
    assert len(store.fanouts.take(fan_out(run, ["a"]), 1).starting) == 1


def rerun(helper, earlier, relation=Relation.RETRY, **more):
    return helper.running(rerun_of=RerunOf(relation, earlier.id), **more)


def test_a_retry_goes_on_with_the_devices_that_are_left(store, helper, fan_out, start):
    run = helper.running()
    fanout = fan_out(run)
    children = start(run, fanout, 3)
    finish(store, helper, children["a"], RunStatus.SUCCEEDED)
    finish(store, helper, children["b"], RunStatus.FAILED)
    store.fanouts.settle(fanout)
    finish(store, helper, children["c"], RunStatus.SUCCEEDED)  # not settled: the worker died
    ended = helper.finish(run.id, RunStatus.LOST)

    nothing = rerun(helper, ended)  # it ended before its fan-out
    helper.finish(nothing.id, RunStatus.CANCELLED)
    again = rerun(helper, nothing, Relation.RESUME)
    retried = fan_out(again, session="another")
    assert states(store, again) == {
        "a": DeviceState.SUCCEEDED,
        "b": DeviceState.PENDING,
        "c": DeviceState.SUCCEEDED,
        "d": DeviceState.PENDING,
    }
    assert [*start(again, retried, 9)] == ["b", "d"]
    first = store.fanouts.page(again).devices[0]
    assert (first.run_id, first.earlier) == (children["a"].id, True)


@pytest.mark.parametrize("what", ["succeeded", "dry", "undo", "step", "ref", "second"])
def test_nothing_is_taken_over_from_another_fan_out(store, helper, fan_out, start, what):
    run = helper.running(dry_run=what == "dry")
    fanout = fan_out(run, ["a"])
    finish(store, helper, start(run, fanout)["a"], RunStatus.SUCCEEDED)
    status = RunStatus.SUCCEEDED if what == "succeeded" else RunStatus.FAILED
    ended = helper.finish(run.id, status)
    again = rerun(helper, ended, Relation.UNDO if what == "undo" else Relation.RETRY)
    if what == "second":
        fan_out(again, ["a"])
    fan_out(
        again, ["a"], step=2 if what == "step" else 1, ref="X.md" if what == "ref" else "Poll.md"
    )
    assert store.fanouts.page(again).devices[-1].state is DeviceState.PENDING


def test_another_attempt_of_a_step_takes_over_what_is_done_and_what_still_runs(
    store, helper, fan_out, start
):
    run = helper.running()
    children = start(run, fan_out(run))
    finish(store, helper, children["a"], RunStatus.SUCCEEDED)
    again = fan_out(run, session="another attempt")
    assert store.fanouts.counts(again) == Counts(pending=2, running=1, succeeded=1)
    finish(store, helper, children["b"], RunStatus.FAILED)
    (settled,) = store.fanouts.settle(again)
    assert (settled.device, settled.state) == ("b", DeviceState.FAILED)


def test_pages_have_all_devices_of_all_fan_outs_in_order(store, helper, fan_out, start):
    run = helper.running()
    start(run, fan_out(run))
    fan_out(run, ["z"], session="t")
    first = store.fanouts.page(run, limit=3)
    assert [one.device for one in first.devices] == ["a", "b", "c"]
    assert [one.fanout.n for one in first.fanouts] == [1, 2]
    n, place = map(int, first.next_cursor.split("."))
    second = store.fanouts.page(run, after=(n, place), limit=3)
    assert [(one.n, one.device) for one in second.devices] == [(1, "d"), (2, "z")]
    assert second.next_cursor is None
    pending = store.fanouts.page(run, states=[DeviceState.PENDING])
    assert [one.device for one in pending.devices] == ["c", "d", "z"]


def test_pausing_is_audited_and_only_for_those_that_go_on(store, helper, fan_out):
    run = helper.running()
    audit = NewAuditEvent(Actor("ann"), AuditAction.RUN_PAUSE, Target(TargetKind.RUN, run.id))
    assert store.fanouts.pause(run, paused=True, audit=audit) == 0
    fanout = fan_out(run)
    assert store.fanouts.pause(run, paused=True, audit=audit) == 1
    assert store.fanouts.get(run, 1).paused
    store.fanouts.finish(fanout, None)
    assert store.fanouts.pause(run, paused=False, audit=audit) == 0
    assert [event.action for event in store.audit.page().events] == ["run.pause"]


def test_a_purged_run_leaves_nothing(store, helper, clock, fan_out):
    run = helper.running()
    fan_out(run)
    helper.finish(run.id)
    clock.now += 10
    store.maintenance.purge(clock.now)
    assert store.fanouts.page(run).fanouts == []
    assert store.fanouts.page(run).devices == []


def test_ten_thousand_devices_are_planned_and_paged(store, helper, fan_out):
    run = helper.running()
    fanout = fan_out(run, [f"r{number}" for number in range(10_000)])
    assert store.fanouts.counts(fanout) == Counts(pending=10_000)
    assert [one.device for one in store.fanouts.take(fanout, 2).starting] == ["r0", "r1"]
    assert len(store.fanouts.page(run, limit=200).devices) == 200
