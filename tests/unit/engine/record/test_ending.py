import dataclasses
import threading

import pytest

from runbook.core.access import Principal
from runbook.core.document import warning
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.record.history_entry import RecordedOutput
from runbook.errors import HistoryReadOnlyError, StoreBusyError
from runbook.store.models import NewEvent

DONE = Outcome(RunStatus.SUCCEEDED, 0, outputs={"ip": "192.0.2.7"})
OUTPUT = RecordedOutput("out\n")


class Watching:
    def __init__(self):
        self.ended = []

    def run_ended(self, run):
        self.ended.append(run)

    def run_quarantined(self, run):
        raise AssertionError("nothing was damaged")

    def run_refused(self, run):
        raise AssertionError("nothing was refused")


@pytest.fixture
def run(workshop):
    workshop.write("Quick")
    workshop.submit("Quick.md")
    return workshop.claim().run


@pytest.fixture
def ending(workshop):
    return workshop.engine.parts.ending


def test_entry_and_row_are_there_when_done_is_seen(workshop, run, ending):
    """A follower that reacts to `done` at once finds both."""
    seen = {}

    def follow():
        for event in workshop.engine.follow(run.id):
            if event is not None and event.type is EventType.DONE:
                seen["history"] = workshop.history("Quick")
                seen["status"] = workshop.store.runs.get(run.id).status

    follower = threading.Thread(target=follow)
    follower.start()
    ending.end(run, DONE, OUTPUT, worker_id="w")
    follower.join()

    assert seen["status"] is RunStatus.SUCCEEDED
    assert f"run={run.id} " in seen["history"]


def test_done_says_all_but_the_output(workshop, run, ending):
    outcome = dataclasses.replace(DONE, warnings=(warning("undone", "careful", run_id="r"),))
    ending.end(run, outcome, OUTPUT, worker_id="w")

    assert workshop.events(run)[-1].data == {
        "success": True,
        "runbook": "Quick.md",
        "return_code": 0,
        "errors": [],
        "warnings": ["careful"],
        "run_id": run.id,
        "status": "succeeded",
        "outputs": {"ip": "192.0.2.7"},
        "problems": [
            {
                "code": "undone",
                "message": "careful",
                "severity": "warning",
                "params": {"run_id": "r"},
            }
        ],
    }


def test_row_entry_and_done_tell_the_same_times(workshop, run, ending):
    ended = ending.end(run, DONE, OUTPUT, worker_id="w")

    stored = workshop.store.runs.get(run.id)
    assert stored == ended
    assert workshop.events(run)[-1].at == stored.times.finished_at
    assert stored.times.duration_ms == stored.times.finished_at - stored.times.started_at
    assert f"{stored.times.duration_ms}" in workshop.history("Quick")


def test_who_comes_second_changes_nothing(workshop, run, ending):
    watching = Watching()
    ending._observer = watching
    first = ending.end(run, DONE, OUTPUT, worker_id="w")
    before = workshop.events(run)

    again = ending.end(run, Outcome(RunStatus.LOST, -1), OUTPUT, worker_id="w", once=True)

    assert again is None
    assert workshop.store.runs.get(run.id) == first
    assert workshop.events(run) == before
    assert workshop.history("Quick").count("### ") == 1
    assert [run.status for run in watching.ended] == [RunStatus.SUCCEEDED]


def test_the_wrong_worker_cannot_end_a_run(workshop, run, ending):
    assert ending.end(run, DONE, OUTPUT, worker_id="another", once=True) is None
    assert workshop.store.runs.get(run.id).status is RunStatus.RUNNING


def test_children_that_still_go_on_are_asked_to_end(workshop, run, ending):
    script = Principal("ann", Origin.RUNBOOK, {}, run_id=run.id, grants=ALL_GRANTS)
    workshop.write("Child")
    over = workshop.submit("Child.md", script)
    ending.end(workshop.claim().run, DONE, OUTPUT, worker_id="w")
    child = workshop.submit("Child.md", script)

    ending.end(run, DONE, OUTPUT, worker_id="w")

    assert workshop.store.runs.get(child.id).cancel.by == "the end of its parent"
    assert workshop.store.runs.get(over.id).cancel is None
    assert workshop.execute().status is RunStatus.CANCELLED  # it is never started


def test_a_history_that_is_read_only_is_a_warning_in_row_and_done(
    workshop, run, ending, monkeypatch
):
    """Root writes to read-only files, so the refusal is given by hand."""

    def refuse(*_, **__):
        raise HistoryReadOnlyError

    monkeypatch.setattr(workshop.engine.parts.records._writer, "append", refuse)

    ended = ending.end(run, DONE, OUTPUT, worker_id="w")

    text = "History was not written: the runbook is read-only. The store has it."
    assert ended.status is RunStatus.SUCCEEDED
    assert ended.result.warnings == (warning("history_read_only", text),)
    assert workshop.events(run)[-1].data["warnings"] == [text]


def test_events_come_before_done(workshop, run, ending):
    last = NewEvent(1, EventType.STDOUT, text="last\n", line=1, offset=0)
    ending.end(run, DONE, OUTPUT, [last], worker_id="w")

    assert [e.type for e in workshop.events(run)][-2:] == [EventType.STDOUT, EventType.DONE]
    assert workshop.store.runs.get(run.id).log.bytes == 5


@pytest.mark.parametrize("jump", [-3_600_000, 3_600_000])
def test_a_duration_is_that_of_a_clock_that_cannot_jump(workshop, run, ending, jump, monkeypatch):
    monkeypatch.setattr(ending, "_clock", lambda: run.times.started_at + jump)
    ended = ending.end(run, DONE, OUTPUT, worker_id="w", took_ms=1500)

    assert ended.times.duration_ms == 1500
    assert ended.times.finished_at >= run.times.started_at + 1500
    assert ", 1500 ms, " in workshop.history("Quick")


def test_children_are_cancelled_even_if_the_database_fails_in_between(
    workshop, ending, monkeypatch
):
    workshop.write("Calls")
    workshop.write("Quick")
    workshop.submit("Calls.md")
    parent = workshop.claim().run
    script = Principal(
        "ann", Origin.RUNBOOK, {"roles": ["sre"]}, grants=ALL_GRANTS, run_id=parent.id
    )
    child = workshop.submit("Quick.md", script)
    runs = workshop.store.runs
    really_cancel, tried = runs.request_cancel, []

    def fail_once(*arguments):
        tried.append(arguments)
        if len(tried) == 1:
            raise StoreBusyError
        return really_cancel(*arguments)

    monkeypatch.setattr(runs, "request_cancel", fail_once)
    with pytest.raises(StoreBusyError):
        ending.end(parent, DONE, OUTPUT, worker_id="w")
    assert ending.end(parent, DONE, OUTPUT, worker_id="w", once=True) is None

    assert runs.get(child.id).cancel is not None
