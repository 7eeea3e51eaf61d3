"""Processes that a script leaves running."""

import os
import pwd

import pytest

from runbook.core.events import EventType
from runbook.core.output.pipeline import OutputPipeline
from runbook.engine.execute.recorder import BACKGROUND_KILLED, MOST_PROCESSES, Recorder
from runbook.host.proctable import ProcessEntry


@pytest.fixture
def recorder_with(workshop):
    """A recorder of a run with these secrets, which stores nothing."""

    def make(*secrets):
        return Recorder(
            workshop.store,
            "run",
            "w",
            lambda masker: OutputPipeline(masker, 2**20),
            secrets=lambda: list(secrets),
            entry_bytes=1024,
            clock=workshop.engine.parts.clock,
            wake=lambda _: None,
        )

    return make


def notices(workshop, run):
    found = workshop.data(run, EventType.NOTICE)
    return [data for data in found if data.get("code") == BACKGROUND_KILLED]


def execute(workshop, script, **more):
    workshop.register()
    workshop.write("Quick", script, **more)
    workshop.submit("Quick.md")
    return workshop.execute()


def test_background_processes_that_are_killed_at_the_end_are_named(workshop):
    run = execute(workshop, "sleep 987 >&- 2>&- &\nprint $!")

    (notice,) = notices(workshop, run)
    pid = int(workshop.output(run))
    assert notice["params"] == {"processes": [{"pid": pid, "name": "sleep"}], "count": 1}
    assert "987" not in notice["message"].replace(str(pid), "")
    assert run.success


def test_a_script_that_leaves_nothing_has_no_notice(workshop):
    run = execute(workshop, "print one > >(cat); sleep 0.01 &")
    assert notices(workshop, run) == []


def entry(pid, name):
    return ProcessEntry(pid, "S", 1, pid, pid, 0, name=name)


def test_names_hold_no_secret_and_no_control_character(recorder_with):
    recorder = recorder_with("hunter2-and-more-than-fifteen")
    recorder.background_killed([entry(1, "hunter2-and-mor"), entry(2, "a\x1b[0m"), entry(3, "ok")])
    (event,) = recorder.finish()
    names = [process["name"] for process in event.data["params"]["processes"]]
    assert names == ["", "a?[0m", "ok"]
    assert "hunter2" not in event.data["message"]


def test_many_processes_are_counted(recorder_with):
    recorder = recorder_with()
    recorder.background_killed([entry(pid, "x") for pid in range(100)])
    (event,) = recorder.finish()
    assert len(event.data["params"]["processes"]) == MOST_PROCESSES
    assert event.data["params"]["count"] == 100


def test_scripts_know_their_user_and_that_there_is_no_terminal(workshop):
    run = execute(workshop, "print -r -- $TERM:$USER:$LOGNAME")
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert workshop.output(run) == f"dumb:{name}:{name}\n"
