"""A resumption: on behind the steps that were completed."""

import signal
import subprocess
import sys

import pytest

from runbook.core.events import EventType
from runbook.core.run import Relation
from runbook.core.status import RunStatus, StepStatus
from runbook.errors import DocumentChangedError

DONE, FAILED, RESTORED = StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.RESTORED


def test_a_resumed_run_goes_on_behind_the_completed_steps(workshop, failed, follow, diary, rows):
    run = failed()
    diary.mend("three")
    diary.clear()

    resumed = follow("resume", run, None)

    assert resumed.success
    assert diary.lines() == ["three", "four-1"]
    assert (resumed.relation, resumed.related_id, resumed.rerun_of.start_step) == (
        Relation.RESUME,
        run.id,
        3,
    )
    assert rows(resumed) == [(1, RESTORED), (2, RESTORED), (3, DONE), (4, DONE)]
    assert dict(resumed.result.outputs) == {"b": "2", "c": "3"}
    states = [(d["name"], d["state"]) for d in workshop.data(resumed, EventType.STEP)]
    assert states[:3] == [("One", "restored"), ("Two", "restored"), ("Three", "started")]


def test_a_run_is_resumed_at_an_earlier_step(failed, follow, diary, rows):
    run = failed()
    diary.mend("three")
    diary.clear()

    resumed = follow("resume", run, "Two")

    assert diary.lines() == ["two", "three", "four-1"]
    assert rows(resumed) == [(1, RESTORED), (2, DONE), (3, DONE), (4, DONE)]


def test_a_run_is_resumed_twice(workshop, failed, follow, diary, rows, conflict):
    run = failed()
    second = follow("resume", run, None)
    assert second.status is RunStatus.FAILED
    diary.mend("three")

    assert conflict(follow, "resume", run, None) == (
        f"The run was resumed by run {second.id}: name that one instead."
    )
    assert conflict(follow, "undo", run) == (
        f"The run was resumed by run {second.id}: name that one instead."
    )
    third = follow("resume", second, None)

    assert third.success
    assert diary.lines() == ["one", "two", "three", "three", "three", "four-1"]
    assert rows(third)[:2] == [(1, RESTORED), (2, RESTORED)]


def test_a_resumed_run_that_waits_keeps_others_from_resuming(failed, follow, conflict):
    run = failed()
    waiting = follow("resume", run, None, execute=False)
    for action, args in (("resume", (None,)), ("undo", ())):
        assert waiting.id in conflict(follow, action, run, *args)


def test_a_resumed_run_that_never_began_is_passed_over(
    workshop, failed, follow, diary, conflict, bob
):
    """Otherwise nobody could go on, and whoever resumed it would repeat the completed steps."""
    run = failed()
    waiting = follow("resume", run, None, execute=False)
    workshop.engine.cancel(waiting, bob)
    cancelled = workshop.execute()
    assert cancelled.status is RunStatus.CANCELLED
    diary.mend("three")
    diary.clear()

    text = f"The run ended before it began a step: name run {run.id} instead."
    assert conflict(follow, "resume", cancelled, None) == text
    assert conflict(follow, "undo", cancelled) == text
    assert follow("resume", run, None).success
    assert diary.lines() == ["three", "four-1"]


def test_a_dry_run_of_a_resumption_keeps_nobody_from_the_real_one(failed, follow, diary):
    run = failed(policy="dry_run: supported")
    diary.mend("three")

    assert follow("resume", run, None, dry_run=True).request.dry_run
    assert not follow("resume", run, None).request.dry_run


def test_values_that_were_not_kept_are_asked_for_and_masked_again(workshop, follow, step):
    workshop.write_steps(
        "Job",
        step(
            "One", 'print "KEY=k-$TOKEN" >> $RUNBOOK_ENV; print "key=k-$TOKEN" >> $RUNBOOK_OUTPUT'
        ),
        step("Two", "print $KEY; print $KEY | runbook mask; exit 1"),
        inputs="TOKEN: {type: secret}",
    )
    workshop.submit("Job.md", env_vars={"TOKEN": "hunter22"})
    run = workshop.execute()

    def asked(run):
        assert {problem.code for problem in run.result.errors} == {"value_not_kept"}
        return [problem.params["variable"] for problem in run.result.errors]

    refused = follow("resume", run, None, env_vars={"TOKEN": "hunter22"})
    assert refused.status is RunStatus.INVALID
    assert asked(refused) == ["KEY", "key"]
    # What is no text does not count.
    values = {"TOKEN": "hunter22", "KEY": 5, "key": "other-key"}
    assert asked(follow("resume", run, None, env_vars=values)) == ["KEY"]

    resumed = follow("resume", run, None, env_vars={**values, "KEY": "another-secret"})
    assert workshop.output(resumed) == "***\n"
    assert dict(resumed.result.outputs) == {"key": "***"}
    assert "another-secret" not in workshop.history("Job")
    # And once more: they were not kept this time, either.
    assert "KEY" in asked(follow("resume", resumed, None, env_vars={"TOKEN": "hunter22"}))


def test_a_change_above_the_step_is_refused_with_the_difference(workshop, failed, follow):
    run = failed()
    path = workshop.settings.runbooks_dir / "Three.md"
    path.write_text(path.read_text().replace("print b=2", "print b=changed"))

    with pytest.raises(DocumentChangedError) as caught:
        follow("resume", run, None)

    assert caught.value.message.startswith("The runbook was changed above step 3 'Three': ")
    lines = caught.value.details["diff"].split("\n")
    assert [line[0] for line in lines if "print b=" in line] == ["-", "+"]
    # From the changed step on, all is as it was above.
    assert follow("resume", run, "Two").rerun_of.start_step == 2


def test_a_change_below_the_steps_heading_is_what_resuming_is_for(workshop, failed, follow, diary):
    run = failed()
    path = workshop.settings.runbooks_dir / "Three.md"
    text = path.read_text()
    at = text.index("## Three")
    path.write_text(text[:at] + "## Three\n```sh\n" + diary.note("mended") + "\n```\n# History\n")

    assert follow("resume", run, None).success
    assert diary.lines()[-1] == "mended"


def test_a_runbook_that_is_no_longer_valid_is_not_resumed(workshop, failed, follow):
    run = failed()
    path = workshop.settings.runbooks_dir / "Three.md"
    path.write_text(path.read_text().replace("## Four", "## Four\n```yaml\nnonsense: 1\n```"))

    resumed = follow("resume", run, None)
    assert resumed.status is RunStatus.INVALID
    assert resumed.result.errors[0].params["key"] == "nonsense"


def test_a_step_that_was_skipped_or_might_fail_is_done_with(workshop, follow, diary, step, rows):
    workshop.write_steps(
        "Job",
        step("Skipped", options='if: inputs.A != ""'),
        step("Tolerated", f"{diary.note('tolerated')}; exit 1", options="continue: true"),
        step("Fails", diary.fails_while("x")),
        inputs="A: {type: string, optional: true}",
    )
    workshop.submit("Job.md")
    run = workshop.execute()
    diary.mend("x")
    diary.clear()

    resumed = follow("resume", run, None)
    assert diary.lines() == ["x"]
    assert rows(resumed) == [(1, StepStatus.SKIPPED), (2, FAILED), (3, DONE)]


def test_a_lost_run_is_resumed_at_the_step_that_was_running(workshop, follow, diary, step, rows):
    """Its worker is killed in the second step."""
    workshop.write_steps(
        "Job",
        step("One", f"{diary.note('one')}; print A=1 >> $RUNBOOK_ENV"),
        step("Two", f"{diary.note('two-$A')}; [[ -n $GO ]] || sleep 60"),
        inputs="GO: {type: string, optional: true}",
    )
    run = workshop.submit("Job.md")
    with subprocess.Popen(
        [sys.executable, "-m", "runbook.worker.local"],
        env={**workshop.settings.environment, "LOGGING_LEVEL": "CRITICAL"},
        stderr=subprocess.DEVNULL,
    ) as worker:
        for event in workshop.engine.follow(run.id):
            if event is not None and (event.data or {}) == {"name": "Two", "state": "started"}:
                break
        worker.send_signal(signal.SIGKILL)
    workshop.engine.reap()

    lost = workshop.store.runs.get(run.id)
    assert lost.status is RunStatus.LOST
    assert rows(lost) == [(1, DONE), (2, StepStatus.LOST)]
    diary.clear()
    assert follow("resume", lost, None, env_vars={"GO": "1"}).success
    assert diary.lines() == ["two-1"]
