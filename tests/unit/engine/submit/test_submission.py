import dataclasses
import json
import sqlite3

import pytest

from runbook.core.access import Principal
from runbook.core.document import texts_of
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.requests import ExecuteRequest
from runbook.errors import (
    AccessDeniedError,
    AuthenticationError,
    IdempotencyKeyReusedError,
    NotFoundError,
    QueueFullError,
    RequestError,
)
from runbook.store.models import NewEvent

ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, "192.0.2.1", grants=ALL_GRANTS)
VIC = Principal("vic", Origin.API, {"roles": ["viewer"]}, grants=ALL_GRANTS)


def runs(workshop):
    return workshop.store.runs.page().runs


def script_of(run):
    """The principal that a running script's token stands for."""
    return Principal("ann", Origin.RUNBOOK, {"roles": ["sre"]}, run_id=run.id, grants=ALL_GRANTS)


@pytest.mark.parametrize(
    "request_",
    [
        {"reason": "a\ud800"},
        {"idempotency_key": "a\ud800"},
        {"confirm": "\0"},
        {"correlation_id": "\ud800"},
        {"recursion_stack": ("\ud800.md",)},
        {"env_vars": {"A\ud800": "1"}},
        {"env_vars": {"A": {"name": "\ud800", "content": ""}}},
    ],
)
def test_text_that_cannot_be_stored_is_refused(workshop, request_):
    workshop.write("Quick")
    for ask in (workshop.engine.submit, workshop.engine.validate):
        with pytest.raises(RequestError) as refused:
            ask("Quick.md", ANN, ExecuteRequest(**request_))
        assert refused.value.details["problems"][0].code == "bad_text"
    assert runs(workshop) == ()


def test_a_value_that_cannot_be_stored_is_a_problem_of_its_input(workshop):
    workshop.write("Quick", inputs="A:\n  description: a\n  type: string\n")
    run = workshop.submit("Quick.md", env_vars={"A": "a\ud800"})
    assert run.status is RunStatus.INVALID
    assert [error.params["variable"] for error in run.result.errors] == ["A"]


def test_a_run_is_recorded_before_anything_happens(workshop):
    path = workshop.write("Quick")

    run = workshop.submit("Quick.md", correlation_id="c-1", reason="OPS-1")

    assert run.status is RunStatus.QUEUED
    assert (run.ref, run.runbook.name, run.correlation_id) == ("Quick.md", "Quick", "c-1")
    assert run.request.reason == "OPS-1"
    assert run.tree.chain == ("Quick.md",)
    assert run.requester.address == "192.0.2.1"
    assert [event.type for event in workshop.events(run)] == [EventType.QUEUED]
    above = path.read_bytes().partition(b"# History")[0]
    assert workshop.store.documents.get(run.runbook.digest).content == above


def test_a_refusal_is_recorded_in_store_and_file(workshop):
    workshop.write("Sre", claims="roles: sre")

    with pytest.raises(AccessDeniedError, match="roles=viewer"):
        workshop.submit("Sre.md", VIC)

    (run,) = runs(workshop)
    assert run.status is RunStatus.REFUSED
    assert run.result.return_code == 403
    assert run.requester.subject == "vic"
    assert [event.type for event in workshop.events(run)] == [EventType.STDERR, EventType.DONE]
    assert workshop.claim() is None
    assert "| Exit Code: 403" in workshop.history("Sre")
    assert "RBAC Failure: Access denied for user vic." in workshop.history("Sre")


def test_a_refused_validation_is_in_the_store_only(workshop):
    workshop.write("Sre", claims="roles: sre")

    with pytest.raises(AccessDeniedError):
        workshop.engine.validate("Sre.md", VIC, ExecuteRequest())

    assert [run.status for run in runs(workshop)] == [RunStatus.REFUSED]
    assert workshop.history("Sre").strip() == ""


def test_a_validation_leaves_nothing(workshop):
    workshop.write("Quick")

    assert workshop.engine.validate("Quick.md", ANN, ExecuteRequest()).success
    assert runs(workshop) == ()


def test_an_invalid_attempt_is_in_the_store_only(workshop):
    workshop.write("Needs", inputs="TARGET: where")

    run = workshop.submit("Needs.md")

    assert run.status is RunStatus.INVALID
    assert run.result.return_code == 1
    (problem,) = run.result.errors
    assert (problem.code, problem.params) == ("missing_input", {"variable": "TARGET"})
    assert workshop.output(run, EventType.STDERR) == problem.text
    done = workshop.events(run)[-1]
    assert done.data["problems"][0]["code"] == "missing_input"
    assert workshop.claim() is None
    assert workshop.history("Needs").strip() == ""


def test_what_is_not_there_leaves_nothing(workshop):
    with pytest.raises(NotFoundError):
        workshop.submit("Nothing.md")
    assert runs(workshop) == ()


def test_an_attempt_that_finds_the_queue_full_is_recorded(build):
    workshop = build(MAX_QUEUED_RUNS="1")
    workshop.write("Quick")
    workshop.submit("Quick.md")

    with pytest.raises(QueueFullError):
        workshop.submit("Quick.md")

    refused, queued = runs(workshop)
    assert (refused.status, refused.result.return_code) == (RunStatus.REFUSED, 503)
    assert queued.status is RunStatus.QUEUED
    assert workshop.store.runs.sealed(refused.id) is None
    workshop.claim()
    assert workshop.submit("Quick.md").status is RunStatus.QUEUED


def test_refusals_in_the_file_are_bounded_in_rate_and_those_in_the_store_are_not(workshop):
    workshop.write("Sre", claims="roles: sre")
    workshop.write("Other", claims="roles: sre")
    for _ in range(25):
        with pytest.raises(AccessDeniedError):
            workshop.submit("Sre.md", VIC)

    with pytest.raises(AccessDeniedError):
        workshop.submit("Other.md", VIC)

    assert workshop.history("Sre").count("Exit Code: 403") == 10
    assert len(runs(workshop)) == 26
    assert workshop.history("Other").count("Exit Code: 403") == 1  # each runbook has its own bound


def test_values_wait_encrypted_and_are_wiped(workshop, tmp_path):
    inputs = """
SECRET: {description: s, type: secret}
OLD: an old declaration
COUNT: {description: n, type: string}
"""
    workshop.write("Given", 'print "$SECRET $OLD $COUNT"', inputs=inputs.strip())
    values = {"SECRET": "s3cret-canary-1", "OLD": "s3cret-canary-2", "COUNT": 5}

    run = workshop.submit("Given.md", env_vars=values)

    assert run.request.inputs == {"SECRET": None, "OLD": None, "COUNT": "5"}
    assert b"canary" not in database(tmp_path)
    assert workshop.store.runs.sealed(run.id) is not None
    ended = workshop.execute()
    assert ended.status is RunStatus.SUCCEEDED
    assert workshop.store.runs.sealed(run.id) is None
    assert workshop.output(run).endswith(" s3cret-canary-2 5\n")  # not declared to be secret
    assert b"canary-1" not in database(tmp_path)
    assert "canary-1" not in workshop.history("Given")


def database(tmp_path):
    return b"".join(path.read_bytes() for path in (tmp_path / "data").glob("runbook.db*"))


def test_names_a_caller_calls_secret_are_masked_whatever_the_runbook_says(workshop):
    workshop.write("Given", "print $TEXT", inputs="TEXT: {description: t, type: string}")

    run = workshop.submit(
        "Given.md", env_vars={"TEXT": "from-the-vault"}, secrets=frozenset({"TEXT", "ABSENT"})
    )

    assert run.request.inputs == {"TEXT": None}
    workshop.execute()
    assert workshop.output(run) == "***\n"


def test_a_called_run_belongs_to_its_caller(workshop):
    workshop.write("Parent")
    workshop.write("Child")
    workshop.write("Grandchild")
    workshop.submit("Parent.md", correlation_id="c-7")
    parent = workshop.claim().run

    child = workshop.submit("Child.md", script_of(parent), correlation_id="other")
    running = workshop.claim().run
    grandchild = workshop.submit("Grandchild.md", script_of(running))

    assert running.id == child.id
    assert (child.tree.parent_id, child.tree.root_id) == (parent.id, parent.id)
    assert (grandchild.tree.parent_id, grandchild.tree.root_id) == (child.id, parent.id)
    assert grandchild.tree.chain == ("Parent.md", "Child.md", "Grandchild.md")
    assert {parent.correlation_id, child.correlation_id, grandchild.correlation_id} == {"c-7"}


def test_a_child_goes_to_its_parents_worker_and_needs_no_slot(workshop):
    workshop.write("Parent")
    workshop.write("Child")
    workshop.submit("Parent.md")
    parent = workshop.claim("w").run
    child = workshop.submit("Child.md", script_of(parent))

    assert workshop.store.runs.claim("another", root_slots=8) is None
    assert workshop.store.runs.claim("w", root_slots=0).run.id == child.id


@pytest.mark.parametrize(
    ("stack", "error"),
    [
        ((), "['Parent.md']"),
        (("Parent.md",), "['Parent.md']"),
        (("Other.md",), "['Parent.md']"),
        (("Other.md", "Parent.md"), "['Parent.md']"),
    ],
)
def test_the_chain_is_known_from_the_token_whatever_the_header_says(workshop, stack, error):
    workshop.write("Parent")
    workshop.submit("Parent.md")
    parent = workshop.claim().run

    run = workshop.submit("Parent.md", script_of(parent), recursion_stack=stack)

    text = f"Recursion detected: Runbook Parent.md already in execution chain: {error}"
    assert run.status is RunStatus.INVALID
    assert (run.result.errors[0].code, run.result.errors[0].text) == ("recursion", text)


def test_the_deeper_of_token_and_header_decides_the_depth(build):
    workshop = build(MAX_RECURSION_DEPTH="3")
    workshop.write("Parent")
    workshop.write("Child")
    workshop.submit("Parent.md")
    parent = workshop.claim().run

    run = workshop.submit("Child.md", script_of(parent), recursion_stack=("a.md", "b.md", "c.md"))

    (problem,) = run.result.errors
    assert (problem.code, problem.params) == ("recursion_depth", {"depth": 3, "limit": 3})
    assert workshop.submit("Child.md", script_of(parent)).status is RunStatus.QUEUED


def test_a_token_is_void_once_its_run_has_ended(workshop):
    workshop.write("Parent")
    workshop.submit("Parent.md")
    parent = workshop.claim().run
    assert workshop.engine.calling_run(script_of(parent)).id == parent.id
    assert workshop.engine.calling_run(ANN) is None
    done = NewEvent(1, EventType.DONE, data={})
    workshop.store.runs.finish(parent.id, Outcome(RunStatus.SUCCEEDED, 0), [done])

    for principal in (script_of(parent), dataclasses.replace(ANN, run_id="never-was")):
        with pytest.raises(AuthenticationError):
            workshop.submit("Parent.md", principal)


def test_the_same_key_is_the_same_run(workshop):
    workshop.write("Given", inputs="A: a\nB: b")
    values = {"A": "1", "B": "2"}
    first = workshop.submit("Given.md", idempotency_key="k", env_vars=values)

    again = workshop.engine.submit(
        "Given.md",
        ANN,
        ExecuteRequest(idempotency_key="k", env_vars=dict(reversed(values.items()))),
    )

    assert again.replayed
    assert again.run.id == first.id
    assert len(runs(workshop)) == 1
    for other in ({"env_vars": {"A": "1", "B": "3"}}, {"env_vars": values, "reason": "x"}):
        with pytest.raises(IdempotencyKeyReusedError):
            workshop.submit("Given.md", idempotency_key="k", **other)


def test_an_attempt_that_started_nothing_does_not_use_up_its_key(workshop):
    workshop.write("Needs", inputs="TARGET: where")
    invalid = workshop.submit("Needs.md", idempotency_key="k")
    assert invalid.status is RunStatus.INVALID

    run = workshop.submit("Needs.md", idempotency_key="k", env_vars={"TARGET": "x"})

    assert run.status is RunStatus.QUEUED


def test_what_was_authorized_is_what_runs(workshop):
    """The file changes, and goes, between the request and the start."""
    path = workshop.write("Changes", "print authorized")
    run = workshop.submit("Changes.md")
    path.write_text(path.read_text().replace("authorized", "smuggled in"))

    assert workshop.execute().status is RunStatus.SUCCEEDED
    assert workshop.output(run) == "authorized\n"


def tamper(tmp_path, statement, *values):
    with sqlite3.connect(tmp_path / "data" / "runbook.db") as connection:
        assert connection.execute(statement, values).rowcount == 1
    connection.close()


def test_a_stored_document_that_was_tampered_with_is_not_run(workshop, tmp_path):
    path = workshop.write("Tampered", "print authorized")
    run = workshop.submit("Tampered.md")
    content = path.read_bytes().partition(b"# History")[0].replace(b"authorized", b"smuggled in")
    tamper(tmp_path, "UPDATE documents SET content = ?", content)

    ended = workshop.execute()

    assert ended.status is RunStatus.FAILED
    assert ended.result.return_code == 1
    assert [problem.code for problem in ended.result.errors] == ["invalid_runbook"]
    assert workshop.output(run) == ""
    assert workshop.events(run)[-1].type is EventType.DONE
    assert f"run={run.id} " in workshop.history("Tampered")


def test_a_document_that_is_gone_from_the_store_is_not_run(workshop, tmp_path):
    workshop.write("Gone", "print authorized")
    workshop.submit("Gone.md")
    tamper(tmp_path, "UPDATE documents SET content = x''")

    assert [problem.code for problem in workshop.execute().result.errors] == ["invalid_runbook"]


def test_inputs_of_another_run_are_not_taken(workshop, tmp_path):
    """The row's sealed inputs are bound to the run: a swap in the database ends the run."""
    workshop.write("Given", "print $WHO", inputs="WHO: who")
    first = workshop.submit("Given.md", env_vars={"WHO": "first"})
    second = workshop.submit("Given.md", env_vars={"WHO": "second"})
    tamper(
        tmp_path,
        "UPDATE runs SET sealed_inputs = ? WHERE id = ?",
        workshop.store.runs.sealed(second.id),
        first.id,
    )

    ended = workshop.execute()

    assert ended.id == first.id
    assert ended.status is RunStatus.FAILED
    assert ended.result.errors[0].code == "store_unavailable"
    assert workshop.output(first) == ""


def test_secrets_too_short_to_be_masked_are_named(workshop):
    inputs = "\n".join(f"{name}: {{description: x, type: secret}}" for name in ("LONG", "S1", "S2"))
    workshop.write("Given", "print $S1 $S2 $LONG", inputs=inputs)

    run = workshop.submit(
        "Given.md", env_vars={"S1": "a", "S2": "ab", "LONG": "long-enough-to-mask"}
    )
    ended = workshop.execute()

    assert [(one.code, one.params) for one in ended.result.warnings] == [
        ("not_masked", {"variable": "S1"}),
        ("not_masked", {"variable": "S2"}),
    ]
    assert json.loads(json.dumps(workshop.events(run)[-1].data))["warnings"] == texts_of(
        ended.result.warnings
    )
    assert "long-enough" not in workshop.output(run)


@pytest.mark.parametrize("request_it", ["submit", "validate"])
def test_a_script_that_its_shell_refuses_is_not_executed(workshop, request_it):
    workshop.write("Half", script='echo one\necho "two')
    if request_it == "submit":
        run = workshop.submit("Half.md")
        assert run.status is RunStatus.INVALID
        errors = run.result.errors
    else:
        errors = workshop.engine.validate("Half.md", ANN, ExecuteRequest()).errors
    assert [error.code for error in errors] == ["script_syntax"]
    assert workshop.engine.runbooks.text_for("Half.md", ANN).entry.document.errors == errors
