"""`runbook show`: a run as text."""

import pytest

from runbook.cli.runbooks import run_lines

RUN = {
    "id": "019be1f2-7c3a-7d10-9f6e-0c5a4f2b8d31",
    "runbook": "Deploy.md",
    "status": "failed",
    "by": "ada",
    "origin": "api",
    "created_at": "2026-01-23T14:33:02.123Z",
}


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"n": 1, "name": "Copy", "status": "succeeded", "return_code": 0}, "1  Copy  succeeded"),
        (
            {"n": 2, "name": "Start", "status": "failed", "return_code": 4},
            "2  Start  failed, return code 4",
        ),
        ({"n": 3, "name": "Test", "status": "skipped", "return_code": None}, "3  Test  skipped"),
    ],
)
def test_a_run_is_shown_with_its_steps(step, told):
    lines = list(run_lines(RUN | {"steps": [step]}, colour=False))
    assert lines[lines.index("steps:") + 1].strip() == told


def test_a_run_without_steps_has_no_such_block():
    assert "steps:" not in list(run_lines(RUN, colour=False))


@pytest.mark.parametrize(
    ("child", "told"),
    [
        ({"status": "succeeded"}, "succeeded"),
        ({"status": "succeeded", "dry_run": True}, "dry run completed"),
        ({"status": "failed", "relation": "undo"}, "failed (undo)"),
    ],
)
def test_a_called_run_tells_what_kind_it_was(child, told):
    lines = list(run_lines(RUN | {"children": [RUN | child]}, colour=False))
    assert f"  {told}  " in lines[-1]


def test_a_run_is_shown_with_its_changes():
    effect = {"state": "undone", "what": "create container 104 (web) on pve1"}
    lines = list(run_lines(RUN | {"effects": [effect]}, colour=False))
    assert lines[lines.index("changes:") + 1] == f"  undone  {effect['what']}"
