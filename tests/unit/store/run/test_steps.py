import dataclasses

import pytest

from runbook.core.outcome import Artifact, Outcome, StepRun
from runbook.core.status import RunStatus, StepStatus
from runbook.errors import ConflictError

ONE = StepRun(
    1,
    "One",
    StepStatus.SUCCEEDED,
    1000,
    2000,
    0,
    attempts=2,
    first_line=3,
    last_line=5,
    env={"A": "1", "B": None},
    outputs={"ü\n": "x"},
)
TWO = StepRun(2, "Two", StepStatus.RUNNING, 2000)


def append(store, run, *steps, worker="w"):
    store.events.append(run.id, [], worker_id=worker, steps=steps)


def finish(store, helper, run, status=RunStatus.FAILED, **more):
    return store.runs.finish(run.id, Outcome(status, 1, **more), [helper.done()])


def test_steps_are_kept_as_they_are_in_their_order(store, helper):
    run = helper.running()
    append(store, run, TWO, ONE)
    assert store.steps.of(run.id) == [ONE, TWO]
    assert store.runs.get(run.id).log.last_event == run.log.last_event


def test_a_step_is_replaced_by_what_became_of_it(store, helper):
    run = helper.running()
    append(store, run, ONE, TWO)
    ended = dataclasses.replace(TWO, status=StepStatus.FAILED, finished_at=3000, return_code=7)
    append(store, run, ended)
    assert store.steps.of(run.id) == [ONE, ended]


def test_runs_have_steps_of_their_own(store, helper):
    one, two = helper.running(), helper.running()
    append(store, one, ONE)
    append(store, two, TWO)
    assert store.steps.of(one.id) == [ONE]
    assert store.steps.of("unknown") == []


def test_only_its_worker_records_a_runs_steps(store, helper):
    run = helper.running()
    with pytest.raises(ConflictError):
        append(store, run, ONE, worker="other")
    assert store.steps.of(run.id) == []


@pytest.mark.parametrize(
    "status", [RunStatus.LOST, RunStatus.CANCELLED, RunStatus.INTERRUPTED, RunStatus.TIMED_OUT]
)
def test_a_step_that_was_running_ends_as_its_run(store, helper, clock, status):
    run = helper.running()
    append(store, run, ONE, TWO)
    clock.now += 500
    finish(store, helper, run, status)

    assert store.steps.of(run.id) == [
        ONE,
        dataclasses.replace(TWO, status=StepStatus(status.value), finished_at=clock.now),
    ]


def test_the_end_brings_steps_that_were_not_stored_yet(store, helper):
    run = helper.running()
    append(store, run, TWO)
    ended = dataclasses.replace(TWO, status=StepStatus.SUCCEEDED, finished_at=9)
    finish(store, helper, run, steps=(ended,))
    assert store.steps.of(run.id) == [ended]


def test_artifacts_and_the_summary_come_with_the_end(store, helper):
    run = helper.running()
    kept = (Artifact("b/c", 2**40, "d" * 64), Artifact("a", 0, "e" * 64))
    assert store.artifacts.of(run.id) == []
    assert store.runs.summary(run.id) is None

    finish(store, helper, run, artifacts=kept, summary="# It\nis \ud800 done")

    assert store.artifacts.of(run.id) == sorted(kept, key=lambda artifact: artifact.name)
    assert store.runs.summary(run.id) == "# It\nis ? done"


def test_a_forgotten_run_leaves_neither_steps_nor_artifacts(store, helper, clock):
    run, other = helper.running(), helper.running()
    for each in (run, other):
        append(store, each, ONE)
    finish(store, helper, run, artifacts=(Artifact("a", 1, "d" * 64),))

    store.maintenance.purge(clock.now + 1)

    assert store.steps.of(run.id) == store.artifacts.of(run.id) == []
    assert store.steps.of(other.id) == [ONE]


def test_says_which_runs_are_not_forgotten(store, helper):
    known = {helper.queued().id for _ in range(3)}
    assert store.runs.known([]) == set()
    assert store.runs.known([*known, "unknown", ""]) == known
    many = [f"unknown-{n}" for n in range(1200)]
    assert store.runs.known([*many, *known]) == known
