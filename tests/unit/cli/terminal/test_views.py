"""What a run shows where nobody takes the output: the run goes on, and its exit code counts."""

import io
import json
import sys

import pytest

from runbook.cli.commands import exit_code_of
from runbook.cli.terminal.views import JsonView, TextView
from runbook.core.events import EventType, RunEvent

ENDED = {
    "id": "r",
    "runbook": "A.md",
    "status": "failed",
    "return_code": 7,
    "warnings": ["careful"],
    "duration_ms": 5,
}


@pytest.fixture
def full(monkeypatch):
    """Replaces a standard stream by one on a full disk."""
    opened = []

    def replace(name):
        opened.append(io.TextIOWrapper(open("/dev/full", "wb")))  # noqa: SIM115
        monkeypatch.setattr(sys, name, opened[-1])

    yield replace
    for stream in opened:
        stream.close()


def show(view):
    for kind in (EventType.STDOUT, EventType.STDERR):
        view.event(RunEvent(1, 0, kind, text="unfinished"))
        view.event(RunEvent(2, 0, kind, text=" line\n"))
    view.event(RunEvent(3, 0, EventType.NOTICE, data={"message": "a notice"}))
    view.invalid([], [{"message": "wrong", "severity": "error", "line": 3}])
    view.ended(ENDED)
    return 7


@pytest.mark.parametrize("names", [("stdout",), ("stderr",), ("stdout", "stderr")])
@pytest.mark.parametrize("view", [JsonView, lambda: TextView("A.md", quiet=False, environment={})])
def test_a_full_disk_changes_no_exit_code(full, names, view):
    for name in names:
        full(name)
    assert exit_code_of(lambda: show(view())) == 7
    sys.stdout.flush()  # as Python does at its end
    sys.stderr.flush()


def test_a_dry_run_that_was_not_executed_is_no_success(capsys):
    problem = {"code": "no_dry_run", "message": "Nothing was executed", "severity": "warning"}
    dry = {"dry_run": True, "status": "succeeded", "label": "unknown", "problems": [problem]}
    texts = {"warnings": ["careful", problem["message"]]}

    TextView("A.md", quiet=False, environment={}).ended(ENDED | dry | texts)

    assert capsys.readouterr().err.splitlines() == [
        "runbook: warning: careful",
        "runbook: A.md not executed: this runbook does not support dry runs; run r",
    ]


def test_a_full_disk_is_told_where_that_is_possible(full, capsys):
    full("stdout")
    show(TextView("A.md", quiet=False, environment={}))
    assert capsys.readouterr().err.count("No space left") == 1


def test_a_command_that_prints_its_result_to_a_full_disk_fails_with_74(full):
    full("stdout")
    assert exit_code_of(lambda: print(json.dumps(ENDED))) == 74
    sys.stdout.flush()
