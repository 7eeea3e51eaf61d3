from __future__ import annotations

import pytest

from runbook.core.document import Problem, warning
from runbook.core.outcome import Outcome, PlanLabel
from runbook.core.run import (
    Origin,
    Relation,
    Requester,
    RerunOf,
    Run,
    RunbookVersion,
    RunRequest,
    RunResult,
    RunTimes,
    RunTree,
)
from runbook.core.status import RunStatus


def run(**changes: object) -> Run:
    values: dict[str, object] = {
        "id": "r",
        "runbook": RunbookVersion("R.md", "R", "d"),
        "status": RunStatus.RUNNING,
        "requester": Requester("ann", Origin.API),
        "correlation_id": "c",
        "tree": RunTree(("R.md",)),
        "times": RunTimes(0),
    }
    return Run(**(values | changes))


@pytest.mark.parametrize("status", RunStatus)
def test_only_one_status_is_a_success(status):
    assert run(status=status).success is (status is RunStatus.SUCCEEDED)


@pytest.mark.parametrize(
    ("started", "elapsed"), [(None, 900_000), (100_000, 60_000), (899_000, 1_000), (950_000, 0)]
)
def test_an_unmeasured_duration_is_within_the_time_limit(started, elapsed):
    times, request = RunTimes(created_at=0, started_at=started), RunRequest(timeout_s=60.0)
    assert run(times=times, request=request).elapsed_ms(900_000) == elapsed


def test_a_run_knows_its_place_in_the_tree_of_calls():
    called = run(tree=RunTree(("A.md", "B.md", "R.md"), parent_id="b", root_id="a"))
    assert (run().is_root, run().tree_id, run().ref) == (True, "r", "R.md")
    assert (called.is_root, called.tree_id, called.ref) == (False, "a", "R.md")


def test_a_run_knows_which_one_it_reruns():
    again = run(rerun_of=RerunOf(Relation.RESUME, "r-0", start_step=2))
    assert (again.relation, again.related_id) == (Relation.RESUME, "r-0")
    assert (run().relation, run().related_id) == (None, None)


def test_what_is_kept_of_an_outcome():
    errors, warnings = (Problem("a", "wrong"),), (warning("b", "odd"),)
    outcome = Outcome(
        RunStatus.FAILED, 3, errors, warnings, {"vm": "104"}, PlanLabel.ASSUMED, summary="text"
    )
    kept = RunResult.of(outcome)
    assert kept == RunResult(3, errors, warnings, {"vm": "104"}, PlanLabel.ASSUMED)
    assert kept.outputs is not outcome.outputs
