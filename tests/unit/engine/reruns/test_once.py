"""A request with a key that comes again: one rerun, whatever the first has changed since."""

import pytest

from runbook.engine.requests import ExecuteRequest
from runbook.errors import ConflictError, IdempotencyKeyReusedError


@pytest.fixture
def ask(workshop, bob):
    def call(action, run, *args, **request):
        return getattr(workshop.engine, action)(run, bob, ExecuteRequest(**request), *args)

    return call


@pytest.mark.parametrize(
    ("action", "args"), [("retry", ()), ("resume", (None,)), ("resume", ("Two",)), ("undo", ())]
)
def test_the_same_request_is_the_same_rerun(workshop, failed, diary, ask, action, args):
    run = failed()
    diary.mend("three")
    first = ask(action, run, *args, idempotency_key="k")
    before = ask(action, run, *args, idempotency_key="k")
    workshop.execute()

    after = ask(action, run, *args, idempotency_key="k")

    assert not first.replayed
    assert {before.run.id, after.run.id} == {first.run.id}
    assert before.replayed
    assert after.replayed
    assert after.run.status.terminal


def test_a_key_is_refused_for_another_rerun(failed, ask):
    run = failed()
    ask("retry", run, idempotency_key="k")
    for action, args, request in (
        ("undo", (), {}),
        ("resume", (None,), {}),
        ("retry", (), {"reason": "other"}),
        ("retry", (), {"env_vars": {"A": "x"}}),
    ):
        with pytest.raises(IdempotencyKeyReusedError):
            ask(action, run, *args, idempotency_key="k", **request)


def test_without_a_key_or_with_another_one_the_state_decides(workshop, failed, ask):
    run = failed()
    ask("undo", run, idempotency_key="k")
    workshop.execute()
    for request in ({}, {"idempotency_key": "other"}):
        with pytest.raises(ConflictError):
            ask("undo", run, **request)


def test_of_two_at_the_same_moment_the_slower_gets_the_rerun_of_the_faster(
    failed, ask, workshop, monkeypatch
):
    run = failed()
    rules = workshop.engine._reruns._rules
    plan = rules.undo_plan

    def slowly(of):
        monkeypatch.setattr(rules, "undo_plan", plan)
        faster.append(ask("undo", of, idempotency_key="k"))
        return plan(of)

    faster = []
    monkeypatch.setattr(rules, "undo_plan", slowly)
    slower = ask("undo", run, idempotency_key="k")

    assert slower.replayed
    assert slower.run.id == faster[0].run.id
