"""What a running script tells the engine through named pipes."""

import os
import threading

import pytest

from runbook.core.events import EventType
from runbook.core.outcome import PlanLabel
from runbook.core.status import RunStatus
from runbook.engine.execute import recorder as recorder_module
from runbook.engine.execute.handover import HandOverError, LiveHandOver
from runbook.engine.process.workspace import HandOver

OUT = EventType.STDOUT
SECRETS = 200


@pytest.fixture
def run_script(workshop):
    """Execute a script, in a language; the run."""

    def call(script, *, language="zsh", dry=False, inputs="", **env_vars):
        path = workshop.write("Job", script, inputs=inputs)
        text = path.read_text().replace("```zsh", f"```{language}")
        if dry:
            text = text.replace("# Script", "# Policy\n```yaml\ndry_run: supported\n```\n# Script")
        path.write_text(text)
        run = workshop.submit("Job.md", env_vars=env_vars, dry_run=dry)
        assert run.status is RunStatus.QUEUED, run.result.errors
        return workshop.execute()

    return call


# -- the pipes themselves ------------------------------------------------------------------------


class Told:
    def __init__(self, folder):
        folder.mkdir()
        (folder / ".runbook").mkdir()
        self.paths = HandOver.below(folder)
        self.progress, self.plans, self.secrets = [], [], []
        self.live = LiveHandOver(
            self.paths,
            on_progress=self.progress.append,
            on_plan=self.plans.append,
            on_secret=self.secrets.append,
        )

    def write(self, path, text):
        with path.open("wb", buffering=0) as file:
            file.write(text)


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path / "run")


def test_lines_are_told_when_their_channel_is_readable(told):
    with told.live:
        for _, read in told.live.channels():
            read()  # nothing is there
        told.write(told.paths.progress, b"40 Clo")
        told.write(told.paths.plan, b"verified: a\nassu")
        told.write(told.paths.mask, b"hunter22\n")
        for _, read in told.live.channels():
            read()

        assert told.progress == []
        assert [plan.text for plan in told.plans] == ["a"]
        assert told.secrets == ["hunter22"]

        told.write(told.paths.progress, b"ning\n")
        told.live.finish()
        assert [(p.percent, p.text) for p in told.progress] == [(40, "Cloning")]
        assert [plan.text for plan in told.plans] == ["a", "assu"]


def test_a_script_may_write_without_anyone_reading_just_then(told):
    with told.live:
        descriptor = os.open(told.paths.mask, os.O_WRONLY | os.O_NONBLOCK | os.O_TRUNC)
        os.write(descriptor, b"one\n")
        os.close(descriptor)
        told.live.read_secrets()
    assert told.secrets == ["one"]


def test_empty_lines_tell_nothing(told):
    with told.live:
        told.write(told.paths.progress, b"\n \n")
        told.write(told.paths.plan, b"\nverified:\n")
        told.live.finish()
    assert told.progress == told.plans == []


def test_a_folder_that_cannot_have_pipes_is_named(told):
    told.paths.progress.write_text("in the way")
    with pytest.raises(HandOverError, match="has no named pipes: File exists"), told.live:
        raise AssertionError("it cannot be entered")
    assert told.live._pipes == []


# -- masking -------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [">", ">>"])
def test_a_value_is_masked_before_the_output_that_shows_it(workshop, run_script, sign):
    run = run_script(f"print hunter22 {sign} $RUNBOOK_MASK; print hunter22; print -u2 hunter22")

    assert run.success
    assert workshop.output(run) == "***\n"
    assert workshop.output(run, EventType.STDERR) == "***\n"
    assert "hunter22" not in workshop.history("Job")


def test_many_quick_values_are_all_masked(workshop, run_script):
    run = run_script(
        f"for i in {{1..{SECRETS}}}; do print value-$i-x >> $RUNBOOK_MASK; print value-$i-x; done"
    )
    assert workshop.output(run) == "***\n" * SECRETS


def test_many_values_at_once_are_all_masked(workshop, run_script):
    """More than the pipe holds."""
    run = run_script(
        f"""
        with open(__import__("os").environ["RUNBOOK_MASK"], "a") as mask:
            for i in range({SECRETS}):
                mask.write(f"value-{{i}}-" + "x" * 500 + "\\n")
        for i in range({SECRETS}):
            print(f"value-{{i}}-" + "x" * 500)
        """,
        language="python",
    )
    assert workshop.output(run) == "***\n" * SECRETS


def test_a_value_of_several_lines_is_masked(workshop, run_script):
    run = run_script(
        """
        print -r -- $'<<END\\nfirst line of it\\nsecond line\\nEND\\nhunter22' >> $RUNBOOK_MASK
        print -r -- $'first line of it\\nsecond line\\nhunter22 END'
        """
    )
    assert workshop.output(run) == "***\n*** END\n"


def test_a_value_that_one_step_left_open_does_not_swallow_the_next_ones(workshop, step):
    workshop.write_steps(
        "Job",
        step("One", "print -r -- $'<<END\\nopened' >> $RUNBOOK_MASK; print opened"),
        step("Two", "print hunter22 >> $RUNBOOK_MASK; print hunter22 opened"),
    )
    workshop.submit("Job.md")
    assert workshop.output(workshop.execute()) == "***\n*** ***\n"


def test_a_value_that_never_ends_fails_the_run(workshop, run_script):
    run = run_script(
        """
        print '<<END' >> $RUNBOOK_MASK
        head -c 3000000 /dev/zero | tr '\\0' x >> $RUNBOOK_MASK
        print -- not reached
        """
    )
    assert (run.status, run.result.return_code) == (RunStatus.FAILED, 1)
    assert [problem.code for problem in run.result.errors] == ["bad_hand_over"]


def test_a_value_of_bytes_that_are_no_text_is_masked(workshop, run_script):
    run = run_script("print $'hunter\\xff22' >> $RUNBOOK_MASK; print $'hunter\\xff22'")
    assert run.success
    assert workshop.output(run) == "***\n"


def test_values_are_masked_in_all_that_is_recorded_of_a_run(workshop, run_script):
    run = run_script(
        """
        print hunter22 >> $RUNBOOK_MASK
        print "key=a-hunter22" >> $RUNBOOK_OUTPUT
        print "# hunter22" >> $RUNBOOK_SUMMARY
        print "40 hunter22" >> $RUNBOOK_PROGRESS
        print x > $RUNBOOK_ARTIFACTS/hunter22
        """
    )
    assert dict(run.result.outputs) == {"key": "a-***"}
    assert workshop.store.runs.summary(run.id) == "# ***\n"
    assert [d["text"] for d in workshop.data(run, EventType.PROGRESS)] == ["***"]
    assert workshop.store.artifacts.of(run.id) == []
    assert [(one.code, one.params) for one in run.result.warnings] == [("artifact_not_kept", {})]


def test_a_summary_is_cut_without_showing_the_half_of_a_secret(workshop, run_script):
    run = run_script(
        """
        head -c 262138 /dev/zero | tr '\\0' x >> $RUNBOOK_SUMMARY
        print $TOKEN >> $RUNBOOK_SUMMARY
        """,
        inputs="TOKEN: {type: secret}",
        TOKEN="hunter22hunter22",
    )
    assert workshop.store.runs.summary(run.id) == "x" * 262138


# -- progress and plans --------------------------------------------------------------------------


def test_progress_is_told_while_the_script_runs(workshop, run_script, tmp_path):
    os.mkfifo(tmp_path / "go")
    workshop.write("Job", f"print 40 half >> $RUNBOOK_PROGRESS; read x < {tmp_path / 'go'}")
    workshop.submit("Job.md")
    thread = threading.Thread(target=workshop.execute)
    run = workshop.store.runs.active()[0]
    thread.start()
    seen = next(
        event
        for event in workshop.engine.follow(run.id)
        if event is not None and event.type is EventType.PROGRESS
    )
    assert not workshop.store.runs.get(run.id).status.terminal
    (tmp_path / "go").write_text("\n")
    thread.join()
    assert seen.data == {"percent": 40, "text": "half"}


def test_of_fast_progress_the_latest_is_told(workshop, run_script, monkeypatch):
    monkeypatch.setattr(recorder_module, "PROGRESS_PAUSE_S", 60.0)
    run = run_script("for i in {1..100}; do print $i step >> $RUNBOOK_PROGRESS; done")

    told = [data["percent"] for data in workshop.data(run, EventType.PROGRESS)]
    assert len(told) <= 2  # the first, where the pause before it had passed, and the last
    assert told[-1] == 100


def test_progress_that_waited_is_told_when_its_time_has_come(workshop, run_script):
    run = run_script(
        "print 1 >> $RUNBOOK_PROGRESS; print 2 >> $RUNBOOK_PROGRESS; sleep 0.4; print end"
    )
    kinds = [e.type for e in workshop.events(run) if e.type in (EventType.PROGRESS, OUT)]
    assert kinds[-1] is OUT
    assert workshop.data(run, EventType.PROGRESS)[-1]["percent"] == 2


def test_a_plan_has_labels_and_the_worst_is_the_runs(workshop, run_script):
    run = run_script(
        """
        print "verified: create $VM" >> $RUNBOOK_PLAN
        print "assumed: start it" >> $RUNBOOK_PLAN
        """,
        dry=True,
        inputs="VM: {type: secret}",
        VM="hunter22",
    )
    plans = [data for data in workshop.data(run, EventType.PLAN) if "text" in data]
    assert plans == [
        {"text": "create ***", "label": "verified"},
        {"text": "start it", "label": "assumed"},
    ]
    assert run.result.label is PlanLabel.ASSUMED


def test_a_plan_has_a_limit_but_what_is_beyond_it_counts(workshop, run_script, monkeypatch):
    monkeypatch.setattr(recorder_module, "MOST_PLANS", 3)
    run = run_script(
        """
        for i in {1..5}; do print "verified: $i" >> $RUNBOOK_PLAN; done
        print "unknown: 6" >> $RUNBOOK_PLAN
        """,
        dry=True,
    )
    plans = [data["text"] for data in workshop.data(run, EventType.PLAN) if "text" in data]
    assert plans == ["1", "2", "3"]
    (notice,) = workshop.data(run, EventType.NOTICE)
    assert notice == {"message": "A plan has at most 3 lines"}
    assert run.result.label is PlanLabel.UNKNOWN


def test_a_long_line_is_cut_without_showing_the_half_of_a_secret(workshop, run_script):
    run = run_script(
        """
        long=${(l:4080::x:)}
        print "7 $long$TOKEN" >> $RUNBOOK_PROGRESS
        print "verified: $long$TOKEN" >> $RUNBOOK_PLAN
        """,
        dry=True,
        inputs="TOKEN: {type: secret}",
        TOKEN="hunter22hunter22",
    )
    (progress,) = workshop.data(run, EventType.PROGRESS)
    (plan,) = [data for data in workshop.data(run, EventType.PLAN) if "text" in data]
    assert progress == {"percent": 7, "text": "x" * 4080}
    assert plan["text"] == "x" * 4080
