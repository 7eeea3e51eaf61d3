"""Which runs cannot be followed, and who may ask for it."""

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.requests import ExecuteRequest
from runbook.errors import AccessDeniedError, IdempotencyKeyReusedError, NotFoundError

DEMOTED = Principal("ann", Origin.API, {"roles": ["guest"]}, grants=ALL_GRANTS)
EVE = Principal("eve", Origin.API, {"roles": ["guest"]}, grants=ALL_GRANTS)


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_a_run_that_has_not_ended_cannot_be_followed(workshop, follow, three, action, conflict):
    three()
    run = workshop.submit("Three.md")
    args = (None,) if action == "resume" else ()

    text = conflict(follow, action, run, *args)
    assert text == "The run is queued; it has to end first."
    running = workshop.claim().run
    assert conflict(follow, action, running, *args) == "The run is running; it has to end first."


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_a_run_that_never_began_cannot_be_followed(workshop, follow, action, conflict):
    workshop.write("Job", inputs="NAME: {type: string}")
    run = workshop.submit("Job.md")
    args = (None,) if action == "resume" else ()

    assert conflict(follow, action, run, *args) == (
        "The run was invalid: nothing was started; execute it anew."
    )


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_an_undo_cannot_be_followed(failed, follow, action, conflict):
    undo = follow("undo", failed())
    args = (None,) if action == "resume" else ()

    assert conflict(follow, action, undo, *args) == (
        "The run reverses another one; undo that one again instead."
    )


def test_a_script_without_steps_cannot_be_resumed(workshop, follow, conflict):
    workshop.write("Job", "exit 1")
    workshop.submit("Job.md")
    run = workshop.execute()

    text = conflict(follow, "resume", run, None)
    assert text == "The script has no steps: retry the run instead."
    assert conflict(follow, "undo", run) == (
        "There is nothing to undo: no steps were completed that have an Undo."
    )


def test_a_run_that_succeeded_is_not_resumed_unless_a_step_is_named(
    failed, follow, diary, conflict
):
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
def test_a_step_that_does_not_exist_is_refused(failed, follow, wanted, conflict):
    assert conflict(follow, "resume", failed(), wanted) == (
        "There is no such step to go on with (steps: 'One', 'Two', 'Three', 'Four')."
    )


@pytest.mark.parametrize("wanted", ["Four", "4"])
def test_no_step_is_left_out(failed, follow, wanted, conflict):
    assert conflict(follow, "resume", failed(), wanted) == (
        "Step 3 'Three' was not completed: go on there, or before it."
    )


def test_a_document_that_is_forgotten_cannot_be_gone_on_with(workshop, failed, follow):
    run = failed()
    workshop.store.maintenance.purge(workshop.engine.parts.clock() + 1000)
    with pytest.raises(NotFoundError, match="have been deleted"):
        follow("resume", run, None)


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_claims_are_checked_again(workshop, failed, follow, diary, action):
    run = failed(claims="roles: sre")
    args = (None,) if action == "resume" else ()
    diary.clear()

    with pytest.raises(AccessDeniedError):
        follow(action, run, *args, by=DEMOTED)

    assert diary.lines() == []
    (refused,) = workshop.store.runs.reruns(run.id)
    assert refused.status is RunStatus.REFUSED
    assert "Access denied for user ann" in workshop.history("Three")
    # Who is refused keeps nobody else from it.
    assert follow(action, run, *args).status.terminal


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_who_may_not_see_a_run_starts_nothing_that_follows_from_it(
    workshop, failed, follow, action
):
    run = failed(claims="roles: sre")
    args = (None,) if action == "resume" else ()
    with pytest.raises(AccessDeniedError) as refusal:
        follow(action, run, *args, by=EVE)
    assert [one["code"] for one in refusal.value.details["missing"]] == ["run_ownership"]
    assert workshop.store.runs.reruns(run.id) == []


def test_claims_of_the_runbook_as_it_is_now_bind_an_undo_too(workshop, failed, follow, step):
    run = failed()
    workshop.write_steps("Three", step("Other"), claims="roles: admin")
    with pytest.raises(AccessDeniedError):
        follow("undo", run)


def test_a_key_is_good_for_one_request_only(workshop, failed, follow, bob):
    run = failed()
    first = follow("retry", run, idempotency_key="k")
    assert first.status is RunStatus.FAILED

    again = workshop.engine.retry(run, bob, ExecuteRequest(idempotency_key="k"))
    assert (again.replayed, again.run.id) == (True, first.id)
    other = failed()
    for action, target, args in (
        ("retry", other, ()),
        ("resume", run, (None,)),
        ("undo", run, ()),
    ):
        with pytest.raises(IdempotencyKeyReusedError):
            follow(action, target, *args, idempotency_key="k")
