"""What a run's events say of the runs that its script called."""

import pytest

from runbook.core.events import EventType
from runbook.core.outcome import StepRun
from runbook.core.run import Relation, RerunOf
from runbook.core.status import RunStatus, StepStatus


@pytest.fixture
def told(store):
    def call(run):
        return [event for event in store.events.after(run.id) if event.type is EventType.CHILD]

    return call


def test_a_run_is_told_that_its_child_began_and_ended(store, helper, told):
    parent = helper.running()
    child = helper.queued(parent_id=parent.id, root_id=parent.id)

    (began,) = told(parent)
    assert began.data == {
        "state": "started",
        "run_id": child.id,
        "runbook": "a/Runbook.md",
        "name": "Runbook",
        "status": "queued",
    }
    store.runs.claim("w", root_slots=0)
    helper.finish(child.id, RunStatus.SUCCEEDED)

    _, ended = told(parent)
    assert ended.data == {
        **began.data,
        "state": "ended",
        "status": "succeeded",
        "return_code": 0,
    }
    assert [event.n for event in store.events.after(parent.id)] == [1, 2, 3, 4]
    assert store.runs.get(parent.id).log.last_event == 4


def test_a_child_that_ended_at_its_birth_is_told_once(store, helper, told):
    parent = helper.running()
    helper.submit(
        helper.new(parent_id=parent.id, status=RunStatus.REFUSED, return_code=403, finished_at=5)
    )
    (event,) = told(parent)
    assert (event.data["state"], event.data["status"]) == ("ended", "refused")
    assert event.data["return_code"] == 403


def test_a_run_that_follows_says_how(helper, told):
    parent = helper.running()
    helper.queued(parent_id=parent.id, rerun_of=RerunOf(Relation.UNDO, parent.id))
    assert told(parent)[0].data["relation"] == "undo"


def test_the_event_belongs_to_the_step_that_is_running(store, helper, told):
    parent = helper.running()
    steps = (
        StepRun(1, "One", StepStatus.SUCCEEDED, 1, 2),
        StepRun(2, "Two", StepStatus.RUNNING, 3),
    )
    helper.queued(parent_id=parent.id)
    store.events.append(parent.id, [], worker_id="w", steps=steps)
    helper.queued(parent_id=parent.id)
    assert [event.step for event in told(parent)] == [None, 2]


def test_a_run_that_has_ended_is_told_nothing(store, helper, told):
    parent = helper.running()
    child = helper.queued(parent_id=parent.id)
    helper.finish(parent.id)
    before = store.runs.get(parent.id).log.last_event

    store.runs.claim("w", root_slots=0)
    helper.finish(child.id)

    assert len(told(parent)) == 1
    assert store.runs.get(parent.id).log.last_event == before


def test_only_the_run_that_called_is_told(helper, told):
    root = helper.running()
    parent = helper.running(parent_id=root.id, root_id=root.id)
    helper.queued(parent_id=parent.id, root_id=root.id)
    assert [event.data["run_id"] for event in told(root)] == [parent.id]
    assert len(told(parent)) == 1


def test_a_child_of_nobody_tells_nobody(store, helper, told):
    other = helper.running()
    helper.ended()
    helper.queued(parent_id="forgotten")
    assert told(other) == []


def test_events_of_the_run_itself_go_on_behind(store, helper, told):
    parent = helper.running()
    helper.queued(parent_id=parent.id)
    store.events.append(parent.id, [helper.output("x\n")], worker_id="w")
    assert [event.n for event in store.events.after(parent.id)] == [1, 2, 3, 4]
