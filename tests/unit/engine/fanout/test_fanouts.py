"""Fan-outs by hand: what is planned, submitted, locked, skipped and refused."""

import dataclasses

import pytest

from runbook.core.access import Principal
from runbook.core.fanout.limits import MOST_DEVICES, WhenBusy
from runbook.core.fanout.progress import Counts, DeviceState, StopReason
from runbook.core.inventory.views import NewFields
from runbook.core.permissions import ALL_GRANTS, SCRIPT_PERMISSIONS
from runbook.core.run import LockRequest, LockWant, Origin
from runbook.core.status import RunStatus
from runbook.engine.fanout.requests import ChildInputs, FanoutPlan
from runbook.engine.requests import ExecuteRequest
from runbook.errors import (
    AccessDeniedError,
    AuthenticationError,
    ConflictError,
    NotFoundError,
    RequestError,
)

ANN = Principal("ann", Origin.API, {"roles": ["admin"]}, grants=ALL_GRANTS)
ROUTER = "ROUTER: {type: device}\nNOTE: {type: string, optional: true}"
NAMES = ("a", "b", "c")
PLAN = FanoutPlan("Child.md", NAMES, None, "2", None, 0, WhenBusy.WAIT, "s")
NOTHING = ChildInputs({})


class Fleet:
    """A running parent, whose script fans out; child runs are executed at our word."""

    def __init__(self, workshop):
        self.workshop = workshop
        self.fanouts = workshop.engine.fanouts
        workshop.submit("Parent.md", ANN)
        self.run = workshop.claim().run
        grants = ALL_GRANTS.limited_to(SCRIPT_PERMISSIONS)
        self.script = dataclasses.replace(ANN, run_id=self.run.id, grants=grants)

    def plan(self, **changes):
        asked = dataclasses.replace(PLAN, **changes)
        return self.fanouts.plan(self.run, self.script, asked).fanout

    def advance(self, inputs=NOTHING, n=1):
        return self.fanouts.advance(self.run, n, self.script, inputs, wait_s=0)

    def child(self, device):
        return self.workshop.store.runs.get(device.run_id)


@pytest.fixture
def fleet(workshop):
    for name in NAMES:
        workshop.engine.inventory.put(NewFields(name, {"address": "192.0.2.1"}), ANN, add=True)
    workshop.write("Parent")
    workshop.write("Child", "[[ $ROUTER != b ]]", inputs=ROUTER)
    workshop.register()
    return Fleet(workshop)


def names(devices):
    return [(one.device, one.state.value) for one in devices]


def test_the_next_devices_start_as_others_end(fleet):
    fanout = fleet.plan()
    assert (fanout.input, fanout.limits.parallel) == ("ROUTER", 2)
    first = fleet.advance(ChildInputs({"NOTE": "x"}))
    assert names(first.changes) == [("a", "running"), ("b", "running")]
    assert not first.over
    child = fleet.child(first.changes[0])
    assert (child.tree.parent_id, child.request.inputs) == (
        fleet.run.id, {"ROUTER": "a", "NOTE": "x"}
    )  # fmt: skip
    assert child.request.locks == LockRequest((LockWant("device:a"),))
    assert fleet.advance().changes == []
    for _ in range(2):
        fleet.workshop.execute()
    second = fleet.advance()
    assert names(second.changes) == [("a", "succeeded"), ("b", "failed"), ("c", "running")]
    fleet.workshop.execute()
    last = fleet.advance()
    assert (names(last.changes), last.over) == ([("c", "succeeded")], True)
    assert last.counted.counts == Counts(succeeded=2, failed=1)
    with pytest.raises(ConflictError):
        fleet.fanouts.pause(fleet.run, ANN, paused=True)


def test_a_submission_that_was_interrupted_leads_to_one_run(fleet, monkeypatch):
    fanout = fleet.plan(devices=("a",))
    attach = type(fleet.workshop.store.fanouts).attach
    monkeypatch.setattr(type(fleet.workshop.store.fanouts), "attach", lambda *_: None)
    (lost,) = fleet.advance().changes
    monkeypatch.setattr(type(fleet.workshop.store.fanouts), "attach", attach)
    (found,) = fleet.advance().changes
    assert found.run_id == lost.run_id
    assert fleet.workshop.store.fanouts.unstarted(fanout) == []
    assert len(fleet.workshop.store.runs.children(fleet.run.id)) == 1


def test_a_pause_starts_nothing_and_a_canary_stops_it(fleet):
    fleet.plan(devices=("b", "a", "c"), canary=1)
    fleet.fanouts.pause(fleet.run, ANN, paused=True)
    assert fleet.advance().changes == []
    fleet.fanouts.pause(fleet.run, ANN, paused=False)
    assert names(fleet.advance().changes) == [("b", "running")]
    fleet.workshop.execute()
    end = fleet.advance()
    assert (end.over, end.stopped) == (True, StopReason.CANARY)
    page = fleet.fanouts.page(fleet.run, states=[DeviceState.PENDING])
    assert [one.device for one in page.devices] == ["a", "c"]
    assert page.fanouts[0].fanout.stopped is StopReason.CANARY


def test_a_device_that_another_run_works_on_is_skipped_or_waited_for(fleet):
    workshop = fleet.workshop
    text = (workshop.settings.runbooks_dir / "Child.md").read_text()
    policy = "# Policy\n```yaml\nlocks: device:${ROUTER}\n```\n\n# Script"
    (workshop.settings.runbooks_dir / "Holder.md").write_text(text.replace("# Script", policy))
    workshop.submit("Holder.md", ANN, env_vars={"ROUTER": "a"})
    workshop.claim()
    fleet.plan(devices=("a", "c"), when_busy=WhenBusy.SKIP)
    skipped, running = fleet.advance().changes
    assert (skipped.state, skipped.code, skipped.run_id) == (DeviceState.SKIPPED, "lock_held", None)
    assert fleet.child(running).request.locks == LockRequest((LockWant("device:c"),), waits=False)
    fleet.plan(devices=("a",))
    (waiting,) = fleet.advance(n=2).changes
    workshop.execute()
    assert workshop.claim() is None
    assert fleet.child(waiting).status is RunStatus.WAITING


def test_a_retry_of_a_child_run_takes_its_devices_lock(fleet):
    fleet.plan(devices=("b",), when_busy=WhenBusy.SKIP)
    (device,) = fleet.advance().changes
    fleet.workshop.execute()
    again = fleet.workshop.engine.retry(fleet.child(device), ANN, ExecuteRequest()).run
    assert again.request.locks == LockRequest((LockWant("device:b"),))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"devices": ()}, "no_devices"),
        ({"devices": [f"r{n}" for n in range(MOST_DEVICES + 1)]}, "too_many_devices"),
        ({"devices": ("a", "B c")}, "bad_device_name"),
        ({"input": "NOTE"}, "no_device_input"),
        ({"ref": "Parent.md"}, "no_device_input"),
        ({"ref": "Two.md"}, "several_device_inputs"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(fleet, changes, code):
    fleet.workshop.write("Two", inputs="A: {type: device}\nB: {type: device}")
    with pytest.raises(RequestError) as refused:
        fleet.plan(**changes)
    assert [one.code for one in refused.value.details["problems"]] == [code]
    assert fleet.fanouts.page(fleet.run).fanouts == []
    assert fleet.plan(ref="Two.md", input="B").input == "B"


def test_only_the_script_of_a_run_fans_out_for_it(fleet):
    with pytest.raises(RequestError):
        fleet.plan(parallel="none")
    with pytest.raises(NotFoundError):
        fleet.plan(ref="Nowhere.md")
    with pytest.raises(NotFoundError):
        fleet.advance()
    with pytest.raises(NotFoundError):
        fleet.fanouts.plan(fleet.run, ANN, PLAN)
    with pytest.raises(AccessDeniedError):
        fleet.fanouts.pause(fleet.run, fleet.script, paused=True)
    for cursor in ("x", "1", "1.", "1.-1", "1." + "9" * 30):
        with pytest.raises(RequestError):
            fleet.fanouts.page(fleet.run, cursor=cursor)
    assert fleet.fanouts.page(fleet.run, cursor="1.2").devices == []


def test_what_no_device_may_have_ends_the_request_and_is_tried_again(fleet):
    fleet.workshop.write("Closed", inputs=ROUTER, claims="roles: nobody")
    fleet.plan(ref="Closed.md")
    with pytest.raises(AccessDeniedError):
        fleet.advance()
    counts = fleet.workshop.store.fanouts.of(fleet.run)[0].counts
    assert (counts.succeeded, counts.failed) == (0, 0)


def test_a_script_whose_run_is_over_is_refused(fleet):
    fleet.plan()
    other = dataclasses.replace(fleet.script, run_id="gone")
    with pytest.raises(AuthenticationError):
        fleet.fanouts.advance(fleet.run, 1, other, NOTHING, wait_s=0)
