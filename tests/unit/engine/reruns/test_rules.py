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
def test_a_run_that_has_not_ended_cannot_be_followed(workshop, rerun, three, action, conflict):
    three()
    run = workshop.submit("Three.md")
    args = (None,) if action == "resume" else ()

    assert conflict(rerun, action, run, *args) == ("run_active", {"status": "queued"})
    running = workshop.claim().run
    assert conflict(rerun, action, running, *args) == ("run_active", {"status": "running"})


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_a_run_that_never_began_cannot_be_followed(workshop, rerun, action, conflict):
    workshop.write("Job", inputs="NAME: {type: string}")
    run = workshop.submit("Job.md")
    args = (None,) if action == "resume" else ()

    assert conflict(rerun, action, run, *args) == ("never_started", {"status": "invalid"})


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_an_undo_cannot_be_followed(failed, rerun, action, conflict):
    undo = rerun("undo", failed())
    args = (None,) if action == "resume" else ()

    assert conflict(rerun, action, undo, *args) == ("is_undo", {"run_id": undo.related_id})


def test_a_script_without_steps_cannot_be_resumed(workshop, rerun, conflict):
    workshop.write("Job", "exit 1")
    workshop.submit("Job.md")
    run = workshop.execute()

    assert conflict(rerun, "resume", run, None) == ("no_steps", {})
    assert conflict(rerun, "undo", run) == ("no_step_to_undo", {})


def test_a_run_that_succeeded_is_not_resumed_unless_a_step_is_named(failed, rerun, diary, conflict):
    run = failed()
    diary.mend("three")
    resumed = rerun("resume", run, None)
    assert resumed.success

    assert conflict(rerun, "resume", resumed, None) == ("all_completed", {})
    diary.clear()
    assert rerun("resume", resumed, "Four").success
    assert diary.lines() == ["four-1"]


@pytest.mark.parametrize("wanted", ["Five", "5", "0", "9" * 5000])
def test_a_step_that_does_not_exist_is_refused(failed, rerun, wanted, conflict):
    assert conflict(rerun, "resume", failed(), wanted) == ("no_such_step", {"step": wanted})


@pytest.mark.parametrize("wanted", ["Four", "4"])
def test_no_step_is_left_out(failed, rerun, wanted, conflict):
    assert conflict(rerun, "resume", failed(), wanted) == (
        "step_not_completed",
        {"step": "Three", "n": 3},
    )


def test_a_document_that_is_forgotten_cannot_be_gone_on_with(workshop, failed, rerun):
    run = failed()
    workshop.store.maintenance.purge(workshop.engine.parts.clock() + 1000)
    with pytest.raises(NotFoundError, match="no longer stored"):
        rerun("resume", run, None)


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_claims_are_checked_again(workshop, failed, rerun, diary, action):
    run = failed(claims="roles: sre")
    args = (None,) if action == "resume" else ()
    diary.clear()

    with pytest.raises(AccessDeniedError):
        rerun(action, run, *args, by=DEMOTED)

    assert diary.lines() == []
    (refused,) = workshop.store.runs.reruns(run.id)
    assert refused.status is RunStatus.REFUSED
    assert "Access denied for user ann" in workshop.history("Three")
    # Who is refused keeps nobody else from it.
    assert rerun(action, run, *args).status.terminal


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_who_may_not_see_a_run_starts_nothing_that_follows_from_it(workshop, failed, rerun, action):
    run = failed(claims="roles: sre")
    args = (None,) if action == "resume" else ()
    with pytest.raises(AccessDeniedError) as refusal:
        rerun(action, run, *args, by=EVE)
    assert [one["code"] for one in refusal.value.details["missing"]] == ["run_ownership"]
    assert workshop.store.runs.reruns(run.id) == []


def test_claims_of_the_runbook_as_it_is_now_bind_an_undo_too(workshop, failed, rerun, step):
    run = failed()
    workshop.write_steps("Three", step("Other"), claims="roles: admin")
    with pytest.raises(AccessDeniedError):
        rerun("undo", run)


def test_a_key_is_good_for_one_request_only(workshop, failed, rerun, bob):
    run = failed()
    first = rerun("retry", run, idempotency_key="k")
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
            rerun(action, target, *args, idempotency_key="k")
