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


def test_a_resumed_run_goes_on_behind_the_completed_steps(workshop, failed, rerun, diary, rows):
    run = failed()
    diary.mend("three")
    diary.clear()

    resumed = rerun("resume", run, None)

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


def test_a_run_is_resumed_at_an_earlier_step(failed, rerun, diary, rows):
    run = failed()
    diary.mend("three")
    diary.clear()

    resumed = rerun("resume", run, "Two")

    assert diary.lines() == ["two", "three", "four-1"]
    assert rows(resumed) == [(1, RESTORED), (2, DONE), (3, DONE), (4, DONE)]


def test_a_run_is_resumed_twice(workshop, failed, rerun, diary, rows, conflict):
    run = failed()
    second = rerun("resume", run, None)
    assert second.status is RunStatus.FAILED
    diary.mend("three")

    resumed = ("already_rerun", {"run_id": second.id})
    assert conflict(rerun, "resume", run, None) == resumed
    assert conflict(rerun, "undo", run) == resumed
    third = rerun("resume", second, None)

    assert third.success
    assert diary.lines() == ["one", "two", "three", "three", "three", "four-1"]
    assert rows(third)[:2] == [(1, RESTORED), (2, RESTORED)]


def test_a_resumed_run_that_waits_keeps_others_from_resuming(failed, rerun, conflict):
    run = failed()
    waiting = rerun("resume", run, None, execute=False)
    for action, args in (("resume", (None,)), ("undo", ())):
        assert conflict(rerun, action, run, *args) == ("already_rerun", {"run_id": waiting.id})


def test_a_resumed_run_that_never_began_is_passed_over(
    workshop, failed, rerun, diary, conflict, bob
):
    """Otherwise nobody could go on, and whoever resumed it would repeat the completed steps."""
    run = failed()
    waiting = rerun("resume", run, None, execute=False)
    workshop.engine.cancel(waiting, bob)
    cancelled = workshop.execute()
    assert cancelled.status is RunStatus.CANCELLED
    diary.mend("three")
    diary.clear()

    began_none = ("began_no_step", {"run_id": run.id})
    assert conflict(rerun, "resume", cancelled, None) == began_none
    assert conflict(rerun, "undo", cancelled) == began_none
    assert rerun("resume", run, None).success
    assert diary.lines() == ["three", "four-1"]


def test_a_dry_run_of_a_resumption_keeps_nobody_from_the_real_one(failed, rerun, diary):
    run = failed(policy="dry_run: supported")
    diary.mend("three")

    assert rerun("resume", run, None, dry_run=True).request.dry_run
    assert not rerun("resume", run, None).request.dry_run


def test_values_that_were_not_kept_are_asked_for_and_masked_again(workshop, rerun, step):
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

    refused = rerun("resume", run, None, env_vars={"TOKEN": "hunter22"})
    assert refused.status is RunStatus.INVALID
    assert asked(refused) == ["KEY", "key"]
    # What is no text does not count.
    values = {"TOKEN": "hunter22", "KEY": 5, "key": "other-key"}
    assert asked(rerun("resume", run, None, env_vars=values)) == ["KEY"]

    resumed = rerun("resume", run, None, env_vars={**values, "KEY": "another-secret"})
    assert workshop.output(resumed) == "***\n"
    assert dict(resumed.result.outputs) == {"key": "***"}
    assert "another-secret" not in workshop.history("Job")
    # And once more: they were not kept this time, either.
    assert "KEY" in asked(rerun("resume", resumed, None, env_vars={"TOKEN": "hunter22"}))


def test_a_change_above_the_step_is_refused_with_the_difference(workshop, failed, rerun):
    run = failed()
    path = workshop.settings.runbooks_dir / "Three.md"
    path.write_text(path.read_text().replace("print b=2", "print b=changed"))

    with pytest.raises(DocumentChangedError) as caught:
        rerun("resume", run, None)

    (problem,) = caught.value.details["problems"]
    assert problem.params == {"step": "Three", "n": 3}
    lines = caught.value.details["diff"].split("\n")
    assert [line[0] for line in lines if "print b=" in line] == ["-", "+"]
    # From the changed step on, all is as it was above.
    assert rerun("resume", run, "Two").rerun_of.start_step == 2


def test_a_change_below_the_steps_heading_is_what_resuming_is_for(workshop, failed, rerun, diary):
    run = failed()
    path = workshop.settings.runbooks_dir / "Three.md"
    text = path.read_text()
    at = text.index("## Three")
    path.write_text(text[:at] + "## Three\n```sh\n" + diary.note("mended") + "\n```\n# History\n")

    assert rerun("resume", run, None).success
    assert diary.lines()[-1] == "mended"


def test_a_runbook_that_is_no_longer_valid_is_not_resumed(workshop, failed, rerun):
    run = failed()
    path = workshop.settings.runbooks_dir / "Three.md"
    path.write_text(path.read_text().replace("## Four", "## Four\n```yaml\nnonsense: 1\n```"))

    resumed = rerun("resume", run, None)
    assert resumed.status is RunStatus.INVALID
    assert resumed.result.errors[0].params["key"] == "nonsense"


def test_a_step_that_was_skipped_or_might_fail_is_done_with(workshop, rerun, diary, step, rows):
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

    resumed = rerun("resume", run, None)
    assert diary.lines() == ["x"]
    assert rows(resumed) == [(1, StepStatus.SKIPPED), (2, FAILED), (3, DONE)]


def test_a_lost_run_is_resumed_at_the_step_that_was_running(workshop, rerun, diary, step, rows):
    """Its worker is killed in the second step."""
    workshop.write_steps(
        "Job",
        step("One", f"{diary.note('one')}; print A=1 >> $RUNBOOK_ENV"),
        step("Two", f"{diary.note('two-$A')}; [[ -n $GO ]] || sleep 60"),
        inputs="GO: {type: string, optional: true}",
    )
    run = workshop.submit("Job.md")
    with subprocess.Popen(
        [sys.executable, "-m", "runbook.worker"],
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
    assert rerun("resume", lost, None, env_vars={"GO": "1"}).success
    assert diary.lines() == ["two-1"]
