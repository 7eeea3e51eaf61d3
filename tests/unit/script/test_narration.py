"""Events as lines for people."""

import pytest

from runbook.script.narration import ending, status_shown, told


def step(state, **more):
    return {"type": "step", "step": 4, "name": "Start", "state": state, **more}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (step("started"), "step 4: Start"),
        (step("ended", return_code=0), None),
        (step("ended"), None),
        (step("ended", return_code=3), "step 4: Start failed with return code 3"),
        (step("ended", return_code=2, status="succeeded"), None),
        (step("ended", return_code=3, status="failed"), "step 4: Start failed with return code 3"),
        (step("skipped"), "step 4: Start skipped"),
        (step("skipped", reason="MODE is fast"), "step 4: Start skipped: MODE is fast"),
        (step("retrying"), "step 4: Start: retrying"),
        (
            step("retrying", attempt=2, pause_s=5.0),
            "step 4: Start: retrying in 5 s (attempt 2)",
        ),
        (step("restored"), "step 4: Start completed by an earlier run"),
        (step("unheard of"), None),
        ({"type": "progress", "percent": 40, "text": "Cloning"}, "40% Cloning"),
        ({"type": "progress", "percent": 12.5, "text": ""}, "12.5%"),
        ({"type": "progress", "percent": None, "text": "Cloning"}, "Cloning"),
        ({"type": "progress", "percent": None, "text": None}, None),
        ({"type": "plan", "label": "verified", "text": "create"}, "plan (verified): create"),
        ({"type": "waiting", "reason": "vm:104 is held"}, "waiting: vm:104 is held"),
        ({"type": "waiting"}, "waiting: for a lock"),
        ({"type": "notice", "message": "cut"}, "cut"),
        ({"type": "child", "state": "started", "runbook": "B.md", "run_id": "7"}, None),
        (
            {"type": "child", "state": "started", "relation": "undo", "run_id": "7"},
            "undo of the completed steps: run 7",
        ),
        (
            {
                "type": "child",
                "state": "ended",
                "relation": "undo",
                "run_id": "7",
                "status": "failed",
            },
            "undo failed: run 7",
        ),
        ({"type": "stdout", "text": "x"}, None),
        ({"type": "done"}, None),
        ({}, None),
    ],
)
def test_an_event_is_one_line_or_none(event, line):
    assert told(event) == line


def test_an_ending_has_a_return_code_where_that_says_something():
    assert ending({"status": "succeeded", "return_code": 0}) == "succeeded"
    assert ending({"status": "failed", "return_code": 3}) == "failed with return code 3"
    assert ending({"status": "timed_out", "return_code": -9}) == "timed_out"


DRY = {"dry_run": True, "status": "succeeded", "label": "verified"}
NOT_RUN = DRY | {"label": "unknown", "problems": [{"code": "no_dry_run"}]}


def test_a_dry_run_is_called_what_it_was():
    assert ending(DRY) == "dry run completed (plan: verified)"
    assert ending(DRY | {"label": None}) == "dry run completed (plan: unknown)"
    assert ending(DRY | {"status": "invalid", "label": None}) == "invalid (dry run)"
    assert ending(NOT_RUN) == "not executed: this runbook does not support dry runs"
    assert status_shown(DRY) == "dry run completed"
    assert status_shown(DRY | {"status": "failed"}) == "failed (dry run)"
    assert status_shown(NOT_RUN) == "not executed"
    assert status_shown({"status": "succeeded", "dry_run": False}) == "succeeded"
