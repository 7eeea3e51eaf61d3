"""An undo that someone asks for: what was completed is reversed."""

import pytest

from runbook.core.events import EventType
from runbook.core.run import Relation
from runbook.core.status import RunStatus, StepStatus
from runbook.engine.process.run import Stop, StopReason

DONE = StepStatus.SUCCEEDED


def test_completed_steps_are_undone_the_last_one_first(workshop, failed, rerun, diary, rows):
    run = failed()
    diary.mend("three")
    resumed = rerun("resume", run, None)
    diary.clear()

    undo = rerun("undo", resumed)

    assert undo.success
    assert diary.lines() == ["un-three", "un-one"]  # also what the run before it completed
    assert (undo.relation, undo.related_id, undo.rerun_of.start_step) == (
        Relation.UNDO,
        resumed.id,
        None,
    )
    assert rows(undo) == [(1, DONE), (3, DONE)]
    names = [d["name"] for d in workshop.data(undo, EventType.STEP) if d["state"] == "started"]
    assert names == ["Undo: Three", "Undo: One"]
    assert [(one.code, one.params["step"]) for one in undo.result.warnings] == [
        ("not_reversible", "Two"),
        ("not_reversible", "Four"),
    ]


def test_what_an_undo_would_do_is_told(workshop, failed, rerun, diary, conflict):
    run = failed()
    diary.mend("three")
    resumed = rerun("resume", run, None)

    plan = workshop.engine.undo_plan(resumed)

    assert [(item.n, item.step.name) for item in plan.steps] == [(3, "Three"), (1, "One")]
    assert [(item.n, item.step.name) for item in plan.left] == [(2, "Two"), (4, "Four")]
    rerun("undo", resumed)
    assert conflict(workshop.engine.undo_plan, resumed) == ("all_undone", {})


def test_a_resumed_run_is_undone_though_the_one_before_it_is_forgotten(
    workshop, failed, rerun, diary
):
    run = failed()
    resumed = rerun("resume", run, None)
    workshop.store.maintenance.purge(resumed.times.finished_at)
    assert workshop.store.runs.get(run.id) is None
    diary.clear()

    assert rerun("undo", resumed).success
    assert diary.lines() == ["un-one"]


def test_what_a_run_completed_is_undone_though_it_failed_when_it_was_repeated(
    workshop, rerun, diary, step
):
    workshop.write_steps(
        "Job",
        step("One", f"{diary.note('one')}; [[ -z $BAD ]]", undo=diary.note("un-one")),
        step("Two", undo=diary.note("un-two")),
        step("Three", "exit 1", undo=diary.note("never")),
        inputs="BAD: {type: string, optional: true}",
    )
    workshop.submit("Job.md")
    run = workshop.execute()
    resumed = rerun("resume", run, "One", env_vars={"BAD": "1"})
    diary.clear()

    assert resumed.status is RunStatus.FAILED
    assert rerun("undo", resumed).success
    assert diary.lines() == ["un-two", "un-one"]


def test_an_undo_that_failed_goes_on_where_it_failed(workshop, rerun, diary, step, conflict):
    workshop.write_steps(
        "Job",
        step("One", undo=diary.fails_while("un-one")),
        step("Two", undo=diary.note("un-two")),
    )
    workshop.submit("Job.md")
    run = workshop.execute()
    first = rerun("undo", run)
    assert first.result.errors[0].params == {"step": "Undo: One", "n": 1, "return_code": 1}
    diary.mend("un-one")
    diary.clear()

    assert rerun("undo", run).success

    assert diary.lines() == ["un-one"]
    assert conflict(rerun, "undo", run) == ("all_undone", {})
    assert conflict(rerun, "resume", run, "Two") == ("steps_undone", {})


def test_an_undo_that_waits_keeps_others_from_going_on(failed, rerun, conflict):
    run = failed()
    waiting = rerun("undo", run, execute=False)
    for action, args in (("resume", (None,)), ("undo", ())):
        assert conflict(rerun, action, run, *args) == ("already_rerun", {"run_id": waiting.id})


def test_an_undo_has_the_values_that_were_handed_over(workshop, rerun, step):
    workshop.write_steps(
        "Job",
        step("One", "print VM=104 >> $RUNBOOK_ENV", undo='print "destroy $VM on $HOST1"'),
        inputs="HOST1: {type: string}",
    )
    workshop.submit("Job.md", env_vars={"HOST1": "pve"})
    run = workshop.execute()

    assert workshop.output(rerun("undo", run)) == "destroy 104 on pve\n"


def test_a_secret_that_was_handed_over_is_asked_for_and_masked_again(workshop, rerun, step):
    workshop.write_steps(
        "Job",
        step("One", "print hunter22 >> $RUNBOOK_MASK; print KEY=hunter22 >> $RUNBOOK_ENV; print -",
             undo="print [$KEY]"),
    )  # fmt: skip
    workshop.submit("Job.md")
    run = workshop.execute()

    (problem,) = rerun("undo", run).result.errors
    assert (problem.code, problem.params) == ("value_not_kept", {"variable": "KEY"})
    assert workshop.output(rerun("undo", run, env_vars={"KEY": "hunter22"})) == ""


def test_an_undo_is_executed_as_the_runbook_was(workshop, failed, rerun, diary):
    run = failed()
    workshop.write_steps("Three", "## Other\n```sh\ntrue\n```\n")
    diary.clear()

    undo = rerun("undo", run)

    assert diary.lines() == ["un-one"]
    assert undo.runbook.digest == run.runbook.digest


def test_a_dry_run_cannot_be_undone_and_undoes_nothing(workshop, rerun, diary, step, conflict):
    workshop.write_steps("Job", step("One", undo=diary.note("un-one")), policy="dry_run: supported")
    workshop.submit("Job.md", dry_run=True)
    dry = workshop.execute()
    assert conflict(rerun, "undo", dry) == ("was_dry_run", {})

    workshop.submit("Job.md")
    run = workshop.execute()
    shown = rerun("undo", run, dry_run=True)
    (plan,) = workshop.data(shown, EventType.PLAN)
    assert [s["name"] for s in plan["preview"]["steps"]] == ["Undo: One"]
    assert rerun("undo", run).success
    assert diary.lines() == ["un-one", "un-one"]


@pytest.mark.parametrize("relation", ["retry", "undo"])
def test_reruns_need_the_confirmation_that_the_policy_asks_for(workshop, three, rerun, relation):
    three(policy="confirm: really")
    workshop.submit("Three.md", confirm="really")
    run = workshop.execute()

    (problem,) = rerun(relation, run).result.errors
    assert (problem.code, problem.params) == ("confirmation_needed", {"confirm": "really"})
    assert rerun(relation, run, confirm="really").status is not RunStatus.INVALID


def test_a_cancelled_run_is_undone_by_hand(workshop, rerun, diary, step):
    workshop.write_steps(
        "Job",
        step("One", undo=diary.note("un-one")),
        step("Two", "sleep 60", undo=diary.note("un-two")),
    )
    run = workshop.submit("Job.md")
    stop = Stop()
    claimed = workshop.claim()
    create = workshop.engine.parts.store.events.append

    def append(run_id, events, **more):
        create(run_id, events, **more)
        if any((e.data or {}) == {"name": "Two", "state": "started"} for e in events):
            stop.request(StopReason.CANCEL, at_once=True)

    workshop.engine.parts.store.events.append = append
    workshop.engine.execute(claimed, "w", stop)
    del workshop.engine.parts.store.events.append

    cancelled = workshop.store.runs.get(run.id)
    assert cancelled.status is RunStatus.CANCELLED
    assert rerun("undo", cancelled).success
    assert diary.lines() == ["un-one"]


def test_a_run_is_not_forgotten_while_it_is_undone(workshop, failed, rerun):
    run = failed()
    rerun("undo", run, execute=False)
    purge = workshop.store.maintenance.purge
    purge(workshop.engine.parts.clock() + 1000)
    assert workshop.execute().success
    purge(workshop.engine.parts.clock() + 1000)
    assert workshop.store.runs.get(run.id) is None
