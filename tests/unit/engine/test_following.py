"""Runs that follow from an earlier one: retry, resume and undo."""

import signal
import subprocess
import sys

import pytest

from runbook.core.access import Principal
from runbook.core.run import EventType, Origin, Relation, RunStatus, StepStatus
from runbook.engine.process import Stop, StopReason
from runbook.engine.requests import ExecuteRequest
from runbook.errors import (
    AccessDeniedError,
    ConflictError,
    DocumentChangedError,
    IdempotencyKeyReusedError,
    NotFoundError,
)

BOB = Principal("bob", Origin.API, {"roles": ["sre"]}, "192.0.2.2")
EVE = Principal("eve", Origin.API, {"roles": ["guest"]})
DONE, FAILED, RESTORED = StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.RESTORED


@pytest.fixture
def diary(tmp_path):
    """A file that scripts write to, and its lines."""
    path = tmp_path / "diary"
    path.touch()

    class Diary:
        def note(self, text):
            return f"print {text} >> {path}"

        def lines(self):
            return path.read_text().splitlines()

        def fails_while(self, name):
            """A script that fails as long as there is a file of this name beside the diary."""
            (tmp_path / name).touch()
            return f"{self.note(name)}; [[ ! -e {tmp_path / name} ]]"

        def mend(self, name):
            (tmp_path / name).unlink()

        def clear(self):
            path.write_text("")

    return Diary()


@pytest.fixture
def three(workshop, diary, step):
    """Three.md: the third step fails until it is mended; the second one has no Undo."""
    steps = (
        step("One", f"{diary.note('one')}; print A=1 >> $RUNBOOK_ENV", undo=diary.note("un-one")),
        step("Two", f"{diary.note('two')}; print b=2 >> $RUNBOOK_OUTPUT"),
        step("Three", diary.fails_while("three"), undo=diary.note("un-three")),
        step("Four", f"{diary.note('four-$A')}; print c=3 >> $RUNBOOK_OUTPUT"),
    )
    return lambda **more: workshop.write_steps("Three", *steps, **more)


@pytest.fixture
def follow(workshop):
    """Ask for a run that follows; executed unless it ended at its birth."""

    def call(action, run, *args, by=BOB, execute=True, **request):
        submitted = getattr(workshop.engine, action)(run, by, ExecuteRequest(**request), *args)
        if submitted.run.status.terminal or not execute:
            return submitted.run
        ended = workshop.execute()
        assert ended.id == submitted.run.id
        return ended

    return call


@pytest.fixture
def failed(workshop, three):
    """A run of Three.md that failed in its third step."""

    def call(**more):
        three(**more)
        workshop.submit("Three.md")
        run = workshop.execute()
        assert run.status is RunStatus.FAILED
        return run

    return call


@pytest.fixture
def rows(workshop):
    return lambda run: [(row.n, row.status) for row in workshop.store.steps(run.id)]


def conflict(call, *args, **more):
    with pytest.raises(ConflictError) as caught:
        call(*args, **more)
    return caught.value.message


# -- retry ---------------------------------------------------------------------------------------


def test_a_retry_has_the_same_inputs_and_begins_at_the_start(workshop, follow):
    inputs = "NAME: {type: string}\nSIZE: {type: integer, default: '1'}"
    workshop.write("Job", "print $NAME-$SIZE; exit 1", inputs=inputs)
    workshop.submit("Job.md", env_vars={"NAME": "vm"}, reason="first")
    run = workshop.execute()

    again = follow("retry", run, env_vars={"SIZE": 7}, reason="second")

    assert (again.relation, again.related_id) == (Relation.RETRY, run.id)
    assert workshop.output(again) == "vm-7\n"
    assert (again.requester.subject, again.reason) == ("bob", "second")
    assert again.chain == ("Job.md",)
    assert again.parent_id is None
    assert [r.id for r in workshop.store.followers(run.id)] == [again.id]


def test_a_retry_takes_the_runbook_as_it_is_now(workshop, follow):
    workshop.write("Job", "exit 1")
    workshop.submit("Job.md")
    run = workshop.execute()
    workshop.write("Job", "print mended")

    assert workshop.output(follow("retry", run)) == "mended\n"


def test_a_run_that_succeeded_can_be_retried_too(workshop, follow):
    workshop.write("Job", "print x")
    workshop.submit("Job.md")
    assert follow("retry", workshop.execute()).success


def test_what_was_not_kept_has_to_be_given_again(workshop, follow):
    inputs = "TOKEN: {type: secret}\nOLD: short form\nNAME: {type: string}"
    workshop.write("Job", "print $TOKEN $OLD $NAME; exit 1", inputs=inputs)
    workshop.submit("Job.md", env_vars={"TOKEN": "hunter22", "OLD": "o", "NAME": "vm"})
    run = workshop.execute()

    refused = follow("retry", run)

    assert refused.status is RunStatus.INVALID
    assert refused.errors[-2:] == (
        "The value of OLD was not kept: it has to be given again",
        "The value of TOKEN was not kept: it has to be given again",
    )
    again = follow("retry", run, env_vars={"TOKEN": "hunter33", "OLD": "p"})
    assert workshop.output(again) == "*** p vm\n"


def test_an_input_that_is_no_longer_declared_is_left_out(workshop, follow):
    workshop.write("Job", "exit 1", inputs="GONE: {type: string}\nTOKEN: {type: secret}")
    workshop.submit("Job.md", env_vars={"GONE": "x", "TOKEN": "hunter22"})
    run = workshop.execute()
    workshop.write("Job", "print ${GONE-none}")

    assert workshop.output(follow("retry", run)) == "none\n"


def test_a_retry_of_a_dry_run_is_a_dry_run(workshop, follow, step):
    workshop.write_steps("Job", step("One"), policy="dry_run: supported")
    workshop.submit("Job.md", dry_run=True)
    run = workshop.execute()

    assert follow("retry", run).dry_run
    assert follow("resume", run, "One").dry_run


# -- what cannot be followed ---------------------------------------------------------------------


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_a_run_that_has_not_ended_cannot_be_followed(workshop, follow, three, action):
    three()
    run = workshop.submit("Three.md")
    args = (None,) if action == "resume" else ()

    text = conflict(follow, action, run, *args)
    assert text == "The run is queued; it has to end first."
    running = workshop.claim().run
    assert conflict(follow, action, running, *args) == "The run is running; it has to end first."


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_a_run_that_never_began_cannot_be_followed(workshop, follow, action):
    workshop.write("Job", inputs="NAME: {type: string}")
    run = workshop.submit("Job.md")
    args = (None,) if action == "resume" else ()

    assert conflict(follow, action, run, *args) == (
        "The run was invalid: nothing was started; execute it anew."
    )


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_an_undo_cannot_be_followed(failed, follow, action):
    undo = follow("undo", failed())
    args = (None,) if action == "resume" else ()

    assert conflict(follow, action, undo, *args) == (
        "The run reverses another one; undo that one again instead."
    )


def test_a_script_without_steps_cannot_be_resumed(workshop, follow):
    workshop.write("Job", "exit 1")
    workshop.submit("Job.md")
    run = workshop.execute()

    text = conflict(follow, "resume", run, None)
    assert text == "The script has no steps: retry the run instead."
    assert conflict(follow, "undo", run) == (
        "There is nothing to undo: no steps were completed that have an Undo."
    )


def test_a_run_that_succeeded_is_not_resumed_unless_a_step_is_named(failed, follow, diary):
    run = failed()
    diary.mend("three")
    resumed = follow("resume", run, None)
    assert resumed.success

    assert conflict(follow, "resume", resumed, None) == (
        "All steps were completed: there is nothing to go on with."
    )
    diary.clear()
    assert follow("resume", resumed, "Four").success
    assert diary.lines() == ["four-1"]


@pytest.mark.parametrize("wanted", ["Five", "5", "0", "9" * 5000])
def test_a_step_that_does_not_exist_is_refused(failed, follow, wanted):
    assert conflict(follow, "resume", failed(), wanted) == (
        "There is no such step to go on with (steps: 'One', 'Two', 'Three', 'Four')."
    )


@pytest.mark.parametrize("wanted", ["Four", "4"])
def test_no_step_is_left_out(failed, follow, wanted):
    assert conflict(follow, "resume", failed(), wanted) == (
        "Step 3 'Three' was not completed: go on there, or before it."
    )


def test_a_document_that_is_forgotten_cannot_be_gone_on_with(workshop, failed, follow):
    run = failed()
    workshop.store.purge(workshop.engine.parts.clock() + 1000)
    with pytest.raises(NotFoundError, match="no longer kept"):
        follow("resume", run, None)


# -- resume --------------------------------------------------------------------------------------


def test_a_resumed_run_goes_on_behind_the_completed_steps(workshop, failed, follow, diary, rows):
    run = failed()
    diary.mend("three")
    diary.clear()

    resumed = follow("resume", run, None)

    assert resumed.success
    assert diary.lines() == ["three", "four-1"]
    assert (resumed.relation, resumed.related_id, resumed.start_step) == (
        Relation.RESUME,
        run.id,
        3,
    )
    assert rows(resumed) == [(1, RESTORED), (2, RESTORED), (3, DONE), (4, DONE)]
    assert dict(resumed.outputs) == {"b": "2", "c": "3"}
    states = [(d["name"], d["state"]) for d in workshop.data(resumed, EventType.STEP)]
    assert states[:3] == [("One", "restored"), ("Two", "restored"), ("Three", "started")]


def test_a_run_is_resumed_at_an_earlier_step(failed, follow, diary, rows):
    run = failed()
    diary.mend("three")
    diary.clear()

    resumed = follow("resume", run, "Two")

    assert diary.lines() == ["two", "three", "four-1"]
    assert rows(resumed) == [(1, RESTORED), (2, DONE), (3, DONE), (4, DONE)]


def test_a_run_is_resumed_twice(workshop, failed, follow, diary, rows):
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


def test_a_resumed_run_that_waits_keeps_others_from_resuming(failed, follow):
    run = failed()
    waiting = follow("resume", run, None, execute=False)
    for action, args in (("resume", (None,)), ("undo", ())):
        assert waiting.id in conflict(follow, action, run, *args)


def test_a_resumed_run_that_never_began_is_passed_over(workshop, failed, follow, diary):
    """Otherwise nobody could go on, and whoever resumed it would repeat the completed steps."""
    run = failed()
    waiting = follow("resume", run, None, execute=False)
    workshop.engine.cancel(waiting, BOB)
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

    assert follow("resume", run, None, dry_run=True).dry_run
    assert not follow("resume", run, None).dry_run


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
    asked = [f"The value of {n} was not kept: it has to be given again" for n in ("KEY", "key")]

    refused = follow("resume", run, None, env_vars={"TOKEN": "hunter22"})
    assert refused.status is RunStatus.INVALID
    assert list(refused.errors) == asked
    # What is no text does not count.
    values = {"TOKEN": "hunter22", "KEY": 5, "key": "other-key"}
    assert list(follow("resume", run, None, env_vars=values).errors) == asked[:1]

    resumed = follow("resume", run, None, env_vars={**values, "KEY": "another-secret"})
    assert workshop.output(resumed) == "***\n"
    assert dict(resumed.outputs) == {"key": "***"}
    assert "another-secret" not in workshop.history("Job")
    # And once more: they were not kept this time, either.
    assert asked[0] in follow("resume", resumed, None, env_vars={"TOKEN": "hunter22"}).errors


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
    assert follow("resume", run, "Two").start_step == 2


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
    assert "nonsense" in resumed.errors[0]


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
        [sys.executable, "-m", "runbook.worker"],
        env={**workshop.settings.environment, "LOGGING_LEVEL": "CRITICAL"},
        stderr=subprocess.DEVNULL,
    ) as worker:
        for event in workshop.engine.follow(run.id):
            if event is not None and (event.data or {}) == {"name": "Two", "state": "started"}:
                break
        worker.send_signal(signal.SIGKILL)
    workshop.engine.reap()

    lost = workshop.store.run(run.id)
    assert lost.status is RunStatus.LOST
    assert rows(lost) == [(1, DONE), (2, StepStatus.LOST)]
    diary.clear()
    assert follow("resume", lost, None, env_vars={"GO": "1"}).success
    assert diary.lines() == ["two-1"]


# -- undo ----------------------------------------------------------------------------------------


def test_completed_steps_are_undone_the_last_one_first(workshop, failed, follow, diary, rows):
    run = failed()
    diary.mend("three")
    resumed = follow("resume", run, None)
    diary.clear()

    undo = follow("undo", resumed)

    assert undo.success
    assert diary.lines() == ["un-three", "un-one"]  # also what the run before it completed
    assert (undo.relation, undo.related_id, undo.start_step) == (Relation.UNDO, resumed.id, None)
    assert rows(undo) == [(1, DONE), (3, DONE)]
    names = [d["name"] for d in workshop.data(undo, EventType.STEP) if d["state"] == "started"]
    assert names == ["Undo: Three", "Undo: One"]
    assert set(undo.warnings) == {
        "Step 'Two' has no Undo: what it did stays",
        "Step 'Four' has no Undo: what it did stays",
    }


def test_a_resumed_run_is_undone_though_the_one_before_it_is_forgotten(
    workshop, failed, follow, diary
):
    run = failed()
    resumed = follow("resume", run, None)
    workshop.store.purge(resumed.finished_at)
    assert workshop.store.run(run.id) is None
    diary.clear()

    assert follow("undo", resumed).success
    assert diary.lines() == ["un-one"]


def test_what_a_run_completed_is_undone_though_it_failed_when_it_was_repeated(
    workshop, follow, diary, step
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
    resumed = follow("resume", run, "One", env_vars={"BAD": "1"})
    diary.clear()

    assert resumed.status is RunStatus.FAILED
    assert follow("undo", resumed).success
    assert diary.lines() == ["un-two", "un-one"]


def test_an_undo_that_failed_goes_on_where_it_failed(workshop, follow, diary, step):
    workshop.write_steps(
        "Job",
        step("One", undo=diary.fails_while("un-one")),
        step("Two", undo=diary.note("un-two")),
    )
    workshop.submit("Job.md")
    run = workshop.execute()
    first = follow("undo", run)
    assert first.errors == ("Step 1 'Undo: One' failed with return code 1",)
    diary.mend("un-one")
    diary.clear()

    assert follow("undo", run).success

    assert diary.lines() == ["un-one"]
    text = conflict(follow, "undo", run)
    assert text == "There is nothing to undo: all steps were undone before."
    text = conflict(follow, "resume", run, "Two")
    assert text == "The run's steps were undone: retry the run instead."


def test_an_undo_that_waits_keeps_others_from_going_on(failed, follow):
    run = failed()
    waiting = follow("undo", run, execute=False)
    for action, args in (("resume", (None,)), ("undo", ())):
        assert conflict(follow, action, run, *args) == (
            f"Run {waiting.id} is about to undo it; it has to end first."
        )


def test_an_undo_has_the_values_that_were_handed_over(workshop, follow, step):
    workshop.write_steps(
        "Job",
        step("One", "print VM=104 >> $RUNBOOK_ENV", undo='print "destroy $VM on $HOST1"'),
        inputs="HOST1: {type: string}",
    )
    workshop.submit("Job.md", env_vars={"HOST1": "pve"})
    run = workshop.execute()

    assert workshop.output(follow("undo", run)) == "destroy 104 on pve\n"


def test_a_secret_that_was_handed_over_is_asked_for_and_masked_again(workshop, follow, step):
    workshop.write_steps(
        "Job",
        step("One", "print hunter22 >> $RUNBOOK_MASK; print KEY=hunter22 >> $RUNBOOK_ENV; print -",
             undo="print [$KEY]"),
    )  # fmt: skip
    workshop.submit("Job.md")
    run = workshop.execute()

    (text,) = follow("undo", run).errors
    assert text == "The value of KEY was not kept: it has to be given again"
    assert workshop.output(follow("undo", run, env_vars={"KEY": "hunter22"})) == ""


def test_an_undo_is_executed_as_the_runbook_was(workshop, failed, follow, diary):
    run = failed()
    workshop.write_steps("Three", "## Other\n```sh\ntrue\n```\n")
    diary.clear()

    undo = follow("undo", run)

    assert diary.lines() == ["un-one"]
    assert undo.digest == run.digest


def test_a_dry_run_cannot_be_undone_and_undoes_nothing(workshop, follow, diary, step):
    workshop.write_steps("Job", step("One", undo=diary.note("un-one")), policy="dry_run: supported")
    workshop.submit("Job.md", dry_run=True)
    dry = workshop.execute()
    text = conflict(follow, "undo", dry)
    assert text == "The run was a dry run: there is nothing to undo."

    workshop.submit("Job.md")
    run = workshop.execute()
    shown = follow("undo", run, dry_run=True)
    (plan,) = workshop.data(shown, EventType.PLAN)
    assert [s["name"] for s in plan["preview"]["steps"]] == ["Undo: One"]
    assert follow("undo", run).success
    assert diary.lines() == ["un-one", "un-one"]


def test_an_undo_needs_no_confirmation_but_a_retry_does(workshop, three, follow):
    three(policy="confirm: really")
    workshop.submit("Three.md", confirm="really")
    run = workshop.execute()

    (text,) = follow("retry", run).errors
    assert text == "Confirmation needed: type 'really'"
    assert follow("undo", run).success


def test_a_cancelled_run_is_undone_by_hand(workshop, follow, diary, step):
    workshop.write_steps(
        "Job",
        step("One", undo=diary.note("un-one")),
        step("Two", "sleep 60", undo=diary.note("un-two")),
    )
    run = workshop.submit("Job.md")
    stop = Stop()
    claimed = workshop.claim()
    create = workshop.engine.parts.store.append_events

    def append(run_id, events, **more):
        create(run_id, events, **more)
        if any((e.data or {}) == {"name": "Two", "state": "started"} for e in events):
            stop.request(StopReason.CANCEL, at_once=True)

    workshop.engine.parts.store.append_events = append
    workshop.engine.execute(claimed, "w", stop)
    del workshop.engine.parts.store.append_events

    cancelled = workshop.store.run(run.id)
    assert cancelled.status is RunStatus.CANCELLED
    assert follow("undo", cancelled).success
    assert diary.lines() == ["un-one"]


# -- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_claims_are_checked_again(workshop, failed, follow, diary, action):
    run = failed(claims="roles: sre")
    args = (None,) if action == "resume" else ()
    diary.clear()

    with pytest.raises(AccessDeniedError):
        follow(action, run, *args, by=EVE)

    assert diary.lines() == []
    (refused,) = workshop.store.followers(run.id)
    assert refused.status is RunStatus.REFUSED
    assert "Access denied for user eve" in workshop.history("Three")
    # Who is refused keeps nobody else from it.
    assert follow(action, run, *args).status.terminal


def test_claims_of_the_runbook_as_it_is_now_bind_an_undo_too(workshop, failed, follow, step):
    run = failed()
    workshop.write_steps("Three", step("Other"), claims="roles: admin")
    with pytest.raises(AccessDeniedError):
        follow("undo", run)


def test_a_key_is_good_for_one_request_only(workshop, failed, follow):
    run = failed()
    first = follow("retry", run, idempotency_key="k")
    assert first.status is RunStatus.FAILED

    again = workshop.engine.retry(run, BOB, ExecuteRequest(idempotency_key="k"))
    assert (again.replayed, again.run.id) == (True, first.id)
    other = failed()
    for action, target, args in (
        ("retry", other, ()),
        ("resume", run, (None,)),
        ("undo", run, ()),
    ):
        with pytest.raises(IdempotencyKeyReusedError):
            follow(action, target, *args, idempotency_key="k")


# -- undone by itself ----------------------------------------------------------------------------


UNDOES = "on_failure: undo\nlocks: machine"


def child_of(workshop, run):
    (child,) = workshop.store.children(run.id)
    return child


def test_a_failed_run_is_undone_while_it_holds_its_locks(workshop, three, diary, follow):
    three(policy=UNDOES, inputs="TOKEN: {type: secret}")
    path = workshop.settings.runbooks_dir / "Three.md"
    path.write_text(path.read_text().replace(diary.note("un-one"), f"print -r -- $A; {LOCKS}"))
    workshop.submit("Three.md", env_vars={"TOKEN": "hunter22"})
    run = workshop.execute_family()

    child = child_of(workshop, run)
    assert (run.status, run.return_code) == (RunStatus.FAILED, 1)
    assert run.errors == ("Step 3 'Three' failed with return code 1",)
    assert f"The completed steps were undone by run {child.id}" in run.warnings
    assert (child.relation, child.related_id, child.status) == (
        Relation.UNDO,
        run.id,
        RunStatus.SUCCEEDED,
    )
    assert workshop.output(child) == "1\nmachine\n"
    assert child.requester == run.requester
    assert child.chain == run.chain
    assert workshop.store.holder(run.locks.wants[0]) is None
    text = conflict(follow, "resume", run, None)
    assert text == "The run's steps were undone: retry the run instead."


LOCKS = """python3 - <<'END'
import os, sqlite3
path = os.path.join(os.path.dirname(os.environ["HOME"]), "..", "data", "runbook.db")
for (name,) in sqlite3.connect(path).execute("select name from locks"):
    print(name)
END"""


def test_an_undo_that_fails_is_a_warning_and_can_be_tried_again(
    workshop, three, diary, follow, step
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
    assert run.return_code == 9
    assert f"The completed steps were NOT all undone: run {child.id} failed" in run.warnings
    diary.mend("un-one")
    diary.clear()
    assert follow("undo", run).success
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

    assert (run.status, run.return_code) == (RunStatus.FAILED, 9)
    assert any(w.startswith("The completed steps were NOT undone: ") for w in run.warnings)
    assert [artifact.name for artifact in workshop.store.artifacts(run.id)] == ["a"]


def test_where_nothing_was_completed_nothing_is_undone(workshop, step):
    workshop.write_steps("Job", step("One", "exit 9", undo="true"), policy=UNDOES)
    workshop.submit("Job.md")
    run = workshop.execute_family()

    assert workshop.store.children(run.id) == []
    assert not [w for w in run.warnings if "undone" in w]


@pytest.mark.parametrize("dry", [True, False])
def test_neither_cancelled_nor_dry_runs_are_undone_by_themselves(workshop, step, dry):
    last = "exit 1" if dry else "kill -STOP $$"
    policy = f"{UNDOES}\ndry_run: supported"
    workshop.write_steps("Job", step("One", undo="true"), step("Two", last), policy=policy)
    run = workshop.submit("Job.md", dry_run=dry)
    stop = Stop()
    if not dry:
        workshop.engine.cancel(run, BOB)
        stop.request(StopReason.CANCEL)
    run = workshop.execute_family(stop)

    assert run.status is (RunStatus.FAILED if dry else RunStatus.CANCELLED)
    assert workshop.store.children(run.id) == []


def test_a_request_to_stop_reaches_the_run_that_undoes(workshop, step, tmp_path):
    """The parent is told to end while its undo runs."""
    stop = Stop()
    workshop.write_steps("Job", step("One", undo="true"), step("Two", "exit 9"), policy=UNDOES)
    workshop.submit("Job.md")
    submit = workshop.store.create_run

    def create(run, *args, **more):
        stop.request(StopReason.DRAIN)
        return submit(run, *args, **more)

    workshop.store.create_run = create
    run = workshop.execute_family(stop)
    del workshop.store.create_run

    child = child_of(workshop, run)
    assert child.status in (RunStatus.CANCELLED, RunStatus.SUCCEEDED)
    assert child.status is RunStatus.SUCCEEDED or "NOT all undone" in run.warnings[-1]
    assert run.return_code == 9


def test_a_run_that_is_forgotten_meanwhile_cannot_be_undone(workshop, failed, follow):
    run = failed()
    follow("undo", run, execute=False)
    workshop.store.purge(workshop.engine.parts.clock() + 1000)

    undo = workshop.execute()
    assert undo.errors == ("The run that was to be undone is no longer kept.",)
