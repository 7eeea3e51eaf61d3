"""Dry runs: what they show, and what they do."""

import pytest

from runbook.core.access import Principal
from runbook.core.events import EventType
from runbook.core.outcome import PlanLabel
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.execute.execution import NOT_DRY


@pytest.fixture
def dry_run(workshop):
    """A dry run of Job.md, executed."""

    def call(**env_vars):
        run = workshop.submit("Job.md", env_vars=env_vars, dry_run=True)
        ended = workshop.execute()
        assert ended.id == run.id
        return ended

    return call


@pytest.fixture
def plans(workshop):
    return lambda run: workshop.data(run, EventType.PLAN)


SUPPORTED = "dry_run: supported"


def test_a_dry_run_shows_what_would_be_done_before_anything_else(workshop, dry_run, plans, step):
    workshop.write_steps(
        "Job",
        step("One", "print one", options="if: inputs.NAME == vm\ntimeout: 5s", undo="print un-one"),
        step("Two", "print two"),
        policy=f"{SUPPORTED}\nlocks: vm-${{NAME}}\ntimeout: 90s",
        inputs="NAME: {type: string}\nTOKEN: {type: secret}\nOLD: short form",
        claims="roles: sre, ops",
    )
    run = dry_run(NAME="vm", TOKEN="hunter22", OLD="o")

    (plan,) = plans(run)
    shown = plan["preview"]
    assert (shown["runbook"], shown["supported"]) == ("Job.md", True)
    assert shown["digest"] == run.runbook.digest
    assert shown["claims"] == {"roles": ["sre", "ops"]}
    assert shown["inputs"] == {
        "NAME": {"value": "vm"},
        "TOKEN": {"given": True},
        "OLD": {"given": True},
    }
    assert shown["files"] == []
    assert shown["locks"] == [{"lock": "vm-vm", "held_by": None}]
    assert shown["timeout_seconds"] == 90
    one, two = shown["steps"]
    assert (one["name"], one["language"], one["script"]) == ("One", "zsh", "print one\n")
    assert one["conditions"] == ["inputs.NAME == 'vm'"]
    assert (one["timeout_seconds"], one["undo"]) == (5, "print un-one\n")
    assert (two["conditions"], two["timeout_seconds"], two["undo"]) == ([], None, None)
    assert one["line"] < two["line"]
    kinds = [event.type for event in workshop.events(run)]
    assert kinds.index(EventType.PLAN) < kinds.index(EventType.STEP)


def test_a_script_that_supports_it_is_executed_and_told_so(workshop, dry_run, plans):
    path = workshop.write("Job", "print [$RUNBOOK_DRY_RUN]; print verified: x >> $RUNBOOK_PLAN")
    path.write_text(
        path.read_text()
        .replace("# Script", f"# Policy\n```yaml\n{SUPPORTED}\n```\n\n# Script")
        .replace("print [", "print -r -- '['")
    )
    run = dry_run()

    assert workshop.output(run) == "[1]\n"
    assert run.result.label is PlanLabel.VERIFIED
    assert run.success
    assert len(plans(run)) == 2


def test_a_real_run_is_told_that_it_is_one(workshop):
    workshop.write("Job", 'print "[$RUNBOOK_DRY_RUN]"')
    workshop.submit("Job.md")
    run = workshop.execute()

    assert workshop.output(run) == "[]\n"
    assert (run.request.dry_run, run.result.label) == (False, None)


def test_a_script_that_does_not_support_it_is_not_executed(workshop, dry_run, plans, tmp_path):
    workshop.write("Job", f"touch {tmp_path / 'done'}")
    run = dry_run()

    assert (run.success, run.result.return_code) == (True, 0)
    assert run.result.warnings == (NOT_DRY,)
    assert run.result.label is PlanLabel.UNKNOWN
    assert not (tmp_path / "done").exists()
    (plan,) = plans(run)
    assert plan["preview"]["supported"] is False
    assert NOT_DRY.text not in workshop.output(run)
    assert ", succeeded, dry run (not executed)" in workshop.history("Job")


def test_a_dry_run_that_planned_nothing_tells_nothing(workshop, dry_run, step):
    workshop.write_steps("Job", step("One"), policy=SUPPORTED)
    assert dry_run().result.label is PlanLabel.UNKNOWN


def test_a_dry_run_can_fail(workshop, dry_run, step):
    workshop.write_steps("Job", step("One", "exit 3"), policy=SUPPORTED)
    run = dry_run()
    assert (run.success, run.result.return_code) == (False, 3)


def test_a_dry_run_takes_no_lock_and_says_who_holds_it(workshop, dry_run, plans, step):
    workshop.write_steps("Holder", step("One"), policy="locks: machine")
    workshop.write_steps("Job", step("One"), policy=f"{SUPPORTED}\nlocks: machine\nconcurrency: 1")
    workshop.submit("Holder.md")
    holder = workshop.claim().run

    run = dry_run()

    assert run.success
    machine, own = plans(run)[0]["preview"]["locks"]
    assert machine["held_by"]["run_id"] == holder.id
    assert own == {"lock": "concurrency:Job.md", "held_by": None}


def test_a_dry_run_needs_no_confirmation(workshop, dry_run, step):
    workshop.write_steps("Job", step("One"), policy=f"{SUPPORTED}\nconfirm: really")
    assert dry_run().success


@pytest.mark.parametrize("asked", [True, False])
def test_what_a_dry_run_calls_is_a_dry_run(workshop, step, asked):
    workshop.write_steps("Job", step("One"), policy=SUPPORTED)
    workshop.write("Child", "print real")
    workshop.submit("Job.md", dry_run=True)
    parent = workshop.claim().run
    script = Principal(
        "ann", Origin.RUNBOOK, {"roles": ["sre"]}, run_id=parent.id, grants=ALL_GRANTS
    )

    child = workshop.submit("Child.md", script, dry_run=asked)

    assert child.request.dry_run
    assert workshop.execute().result.warnings == (NOT_DRY,)
    assert workshop.output(child) == ""
