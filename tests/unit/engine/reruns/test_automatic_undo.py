"""The policy `on_failure: undo`: a run that failed is reversed at once."""

import pytest

from runbook.core.run import Relation
from runbook.core.status import RunStatus
from runbook.engine.process.run import Stop, StopReason

UNDOES = "on_failure: undo\nlocks: machine"


def child_of(workshop, run):
    (child,) = workshop.store.runs.children(run.id)
    return child


def test_a_failed_run_is_undone_while_it_holds_its_locks(workshop, three, diary, rerun, conflict):
    three(policy=UNDOES, inputs="TOKEN: {type: secret}")
    path = workshop.settings.runbooks_dir / "Three.md"
    path.write_text(path.read_text().replace(diary.note("un-one"), f"print -r -- $A; {LOCKS}"))
    workshop.submit("Three.md", env_vars={"TOKEN": "hunter22"})
    run = workshop.execute_family()

    child = child_of(workshop, run)
    assert (run.status, run.result.return_code) == (RunStatus.FAILED, 1)
    assert run.result.errors[0].params == {"step": "Three", "n": 3, "return_code": 1}
    assert run.result.warnings[-1].code == "undone"
    assert run.result.warnings[-1].params == {"run_id": child.id}
    assert (child.relation, child.related_id, child.status) == (
        Relation.UNDO,
        run.id,
        RunStatus.SUCCEEDED,
    )
    assert workshop.output(child) == "1\nmachine\n"
    assert child.requester == run.requester
    assert child.tree.chain == run.tree.chain
    assert workshop.store.locks.holder(run.request.locks.wants[0]) is None
    assert conflict(rerun, "resume", run, None) == ("steps_undone", {})


LOCKS = """python3 - <<'END'
import os, sqlite3
path = os.path.join(os.path.dirname(os.environ["HOME"]), "..", "data", "runbook.db")
for (name,) in sqlite3.connect(path).execute("select name from locks"):
    print(name)
END"""


def test_an_undo_that_fails_is_a_warning_and_can_be_tried_again(
    workshop, three, diary, rerun, step
):
    steps = (
        step("One", undo=diary.fails_while("un-one")),
        step("Two", undo=diary.note("un-two")),
        step("Three", "exit 9", undo="true"),
    )
    workshop.write_steps("Job", *steps, policy=UNDOES)
    workshop.submit("Job.md")
    run = workshop.execute_family()

    child = child_of(workshop, run)
    assert run.result.return_code == 9
    assert run.result.warnings[-1].code == "not_all_undone"
    assert run.result.warnings[-1].params == {"run_id": child.id, "status": "failed"}
    diary.mend("un-one")
    diary.clear()
    assert rerun("undo", run).success
    assert diary.lines() == ["un-one"]


def test_a_run_keeps_its_own_end_where_it_cannot_be_undone(workshop, step):
    """Its runbook is removed meanwhile."""
    path = workshop.write_steps(
        "Job",
        step("One", "print x > $RUNBOOK_ARTIFACTS/a", undo="true"),
        step("Two", "rm $RUNBOOK_FILE; exit 9"),
        policy=UNDOES,
    )
    path.write_text(path.read_text().replace("$RUNBOOK_FILE", str(path)))
    workshop.submit("Job.md")
    run = workshop.execute_family()

    assert (run.status, run.result.return_code) == (RunStatus.FAILED, 9)
    assert "not_undone" in [one.code for one in run.result.warnings]
    assert [artifact.name for artifact in workshop.store.artifacts.of(run.id)] == ["a"]


def test_where_nothing_was_completed_nothing_is_undone(workshop, step):
    workshop.write_steps("Job", step("One", "exit 9", undo="true"), policy=UNDOES)
    workshop.submit("Job.md")
    run = workshop.execute_family()

    assert workshop.store.runs.children(run.id) == []
    assert not [w for w in run.result.warnings if "undone" in w]


@pytest.mark.parametrize("dry", [True, False])
def test_neither_cancelled_nor_dry_runs_are_undone_by_themselves(workshop, step, dry, bob):
    last = "exit 1" if dry else "kill -STOP $$"
    policy = f"{UNDOES}\ndry_run: supported"
    workshop.write_steps("Job", step("One", undo="true"), step("Two", last), policy=policy)
    run = workshop.submit("Job.md", dry_run=dry)
    stop = Stop()
    if not dry:
        workshop.engine.cancel(run, bob)
        stop.request(StopReason.CANCEL)
    run = workshop.execute_family(stop)

    assert run.status is (RunStatus.FAILED if dry else RunStatus.CANCELLED)
    assert workshop.store.runs.children(run.id) == []


def test_a_request_to_stop_reaches_the_run_that_undoes(workshop, step, tmp_path):
    """The parent is told to end while its undo runs."""
    stop = Stop()
    workshop.write_steps("Job", step("One", undo="true"), step("Two", "exit 9"), policy=UNDOES)
    workshop.submit("Job.md")
    submit = workshop.store.runs.create

    def create(run, *args, **more):
        stop.request(StopReason.DRAIN)
        return submit(run, *args, **more)

    workshop.store.runs.create = create
    run = workshop.execute_family(stop)
    del workshop.store.runs.create

    child = child_of(workshop, run)
    assert child.status in (RunStatus.CANCELLED, RunStatus.SUCCEEDED)
    assert child.status is RunStatus.SUCCEEDED or run.result.warnings[-1].code == "not_all_undone"
    assert run.result.return_code == 9
