"""What a request says besides its inputs is recorded and answered without its secrets."""

import sqlite3

import pytest

from runbook.core.access import Principal
from runbook.core.document import Input, InputType, Problem
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.requests import ExecuteRequest
from runbook.engine.submit import concealment
from runbook.engine.submit.concealment import Concealer, take_in
from runbook.errors import AccessDeniedError, IdempotencyKeyReusedError

SECRET = "correct horse"
ENCODED = "Y29ycmVjdCBob3JzZQ=="
FILE = {"name": "a", "content_base64": ENCODED}
INPUTS = "PW: {type: secret}\nN: {type: string, optional: true}"
ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)
VIC = Principal("vic", Origin.API, {"roles": ["viewer"]}, grants=ALL_GRANTS)


def declared(name, type_=InputType.STRING):
    return Input(name, "", 1, type=type_, typed=True)


@pytest.mark.parametrize(
    ("env_vars", "secrets"),
    [
        ({"A": SECRET, "B": f"x{SECRET}y", "C": "correct"}, {"A", "B"}),
        ({"A": ENCODED, "B": FILE, "C": ["x", SECRET]}, {"A", "B", "C"}),
        ({"A": "pin", "B": "pins", "C": None, "D": 5}, {"A"}),
        ({5: SECRET}, set()),
        (None, set()),
        (SECRET, set()),
    ],
)
def test_values_with_an_inherited_secret_are_secrets(env_vars, secrets):
    request = ExecuteRequest(env_vars, secrets=frozenset({"Z"}))
    taken, _ = take_in(request, [], [SECRET, "pin"])
    assert taken.secrets == {"Z", *secrets}


@pytest.mark.parametrize(
    ("value", "is_hidden"),
    [
        (SECRET, True),
        (f"http://u:{SECRET}@h", True),
        (ENCODED, True),
        ({"a": [SECRET]}, True),
        ("other", False),
        (None, False),
    ],
)
def test_values_with_a_secret_of_the_same_request_are_hidden_but_not_secret(value, is_hidden):
    inputs = [declared("PW", InputType.SECRET), declared("N", InputType.JSON)]
    taken, _ = take_in(ExecuteRequest({"PW": SECRET, "N": value}), inputs)
    assert (taken.hidden, taken.secrets) == ({"N"} if is_hidden else set(), set())


def test_a_number_is_compared_as_it_is_written():
    inputs = [declared("PIN", InputType.SECRET), declared("N", InputType.INTEGER)]
    assert take_in(ExecuteRequest({"PIN": 47118812, "N": 47118812}), inputs)[0].hidden == {"N"}


def test_a_name_is_masked_unless_it_is_declared():
    inputs = [declared("PW", InputType.SECRET), declared("HOST")]
    taken, _ = take_in(ExecuteRequest({"PW": "HOST", "HOST": "a", "HOST_2": "b"}), inputs)
    assert taken.env_vars == {"PW": "HOST", "HOST": "a", "***_2": "b"}


def test_a_request_without_secrets_makes_no_masks(monkeypatch):
    monkeypatch.setattr(concealment, "Masker", None)
    request = ExecuteRequest({"N": "a", "M": "b"}, reason="c")
    taken, concealer = take_in(request, [declared("N")])
    assert (taken, bool(concealer)) == (request, False)
    problem = Problem("code", "text", params={"variable": "N"})
    assert (concealer.text("a"), concealer.problems((problem,))) == ("a", (problem,))


def test_ids_that_the_server_makes_are_left_alone():
    made = "01a2276b-3aa0-7434-b59a-d024e524ebef"
    assert Concealer(["7434", "b59a"]).text(made) == made
    assert Concealer([made]).text(made) == Concealer([f'{{"id":"{made}"}}']).text(made) == "***"


def test_all_texts_of_a_problem_are_masked():
    masked = Concealer([SECRET]).problem(
        Problem("code", f"a {SECRET}", hint=ENCODED, params={"x": SECRET, "n": 5})
    )
    assert (masked.message, masked.hint, masked.params) == ("a ***", "***", {"x": "***", "n": 5})


# -- through the engine --------------------------------------------------------------------------


def stored(workshop):
    """Everything in the database and the runbooks, as bytes."""
    with sqlite3.connect(workshop.settings.data_dir / "runbook.db") as database:
        rows = "\n".join(database.iterdump())
    texts = [path.read_text() for path in workshop.settings.runbooks_dir.iterdir()]
    return "\n".join([rows, *texts])


def test_the_record_of_a_queued_run_has_no_secret(workshop):
    workshop.write("Quick", inputs=INPUTS)

    run = workshop.submit(
        "Quick.md",
        env_vars={"PW": SECRET, "N": f"at {SECRET}"},
        reason=f"because {SECRET}",
        correlation_id=ENCODED,
        recursion_stack=("A.md", SECRET),
        idempotency_key=SECRET,
    )

    assert run.status is RunStatus.QUEUED
    assert run.request.reason == "because ***"
    assert run.request.inputs == {"PW": None, "N": None}
    assert (run.correlation_id, run.tree.chain) == ("***", ("A.md", "***", "Quick.md"))
    assert SECRET not in stored(workshop)


def test_a_key_with_a_secret_works_like_any_other(workshop):
    workshop.write("Quick", inputs=INPUTS)
    asked = {"env_vars": {"PW": SECRET}, "idempotency_key": SECRET}
    first = workshop.submit("Quick.md", **asked)
    assert workshop.submit("Quick.md", **asked).id == first.id
    with pytest.raises(IdempotencyKeyReusedError):
        workshop.submit("Quick.md", reason="other", **asked)


@pytest.mark.parametrize(
    ("env_vars", "code"),
    [
        ({"N": SECRET}, "bad_input_value"),
        ({"N": SECRET, "C": SECRET}, "bad_input_value"),
        ({"C": [f"{SECRET},"]}, "bad_input_value"),
        ({SECRET: "1"}, "bad_input_name"),
        ({"correct horse"[:7] + "_X": "1", f"A{SECRET}": {}}, "bad_env_vars"),
    ],
)
def test_the_errors_of_other_inputs_have_no_secret(workshop, env_vars, code):
    inputs = (
        "PW: {type: secret}\nN: {type: integer, optional: true}\n"
        "C: {type: multichoice, choices: 'a, b', optional: true}"
    )
    workshop.write("Quick", inputs=inputs)
    request = ExecuteRequest({"PW": SECRET, **env_vars}, reason=SECRET)

    run = workshop.submit("Quick.md", env_vars=request.env_vars, reason=request.reason)
    report = workshop.engine.validate("Quick.md", ANN, request)

    assert run.status is RunStatus.INVALID
    assert code in {problem.code for problem in run.result.errors}
    assert SECRET not in stored(workshop)
    assert SECRET not in repr(report)


def test_a_long_secret_leaves_no_start_of_it(workshop):
    """Errors show the start of a value or name: it is not cut through a secret."""
    long = "k3y" * 60
    inputs = "PW: {type: secret}\nC: {type: multichoice, choices: 'a, b', optional: true}"
    workshop.write("Quick", inputs=inputs)
    env_vars = {"PW": long, "C": [f"{long},"], f"A{long}": "1"}

    run = workshop.submit("Quick.md", env_vars=env_vars)

    assert {problem.code for problem in run.result.errors} == {"bad_input_value", "bad_input_name"}
    assert "k3yk3y" not in stored(workshop)


def test_a_refused_run_and_its_history_have_no_secret(workshop):
    workshop.write("Sre", inputs=INPUTS, claims="roles: sre")

    with pytest.raises(AccessDeniedError):
        workshop.submit("Sre.md", VIC, env_vars={"PW": SECRET}, reason=f"because {SECRET}")

    assert "because ***" in workshop.history("Sre")
    assert SECRET not in stored(workshop)


def test_a_secret_that_the_server_supplies_is_masked_as_well(build):
    workshop = build(PW=SECRET)
    workshop.write("Quick", inputs=INPUTS)
    run = workshop.submit("Quick.md", env_vars={"N": SECRET}, reason=SECRET)
    assert (run.request.reason, run.request.inputs) == ("***", {"PW": None, "N": None})


def test_a_lock_with_a_secret_in_it_is_an_error(workshop, step):
    workshop.write_steps("Locks", step("A"), inputs=INPUTS, policy="locks: 'host-${N}'")

    run = workshop.submit("Locks.md", env_vars={"PW": SECRET, "N": SECRET})

    (problem,) = run.result.errors
    assert (problem.code, problem.params) == ("bad_lock_name", {"lock": "host-${N}"})
    assert SECRET not in stored(workshop)
    free = workshop.submit("Locks.md", env_vars={"PW": "host-", "N": "a"})
    assert [want.name for want in free.request.locks.wants] == ["host-a"]


@pytest.mark.parametrize("confirm", ["yes ***", f"yes {SECRET}"])
def test_a_confirmation_with_a_secret_is_asked_for_and_taken_masked(workshop, step, confirm):
    workshop.write_steps("Asks", step("A"), inputs=INPUTS, policy="confirm: 'yes ${N}'")

    asked = workshop.submit("Asks.md", env_vars={"PW": SECRET, "N": SECRET})
    done = workshop.submit("Asks.md", env_vars={"PW": SECRET, "N": SECRET}, confirm=confirm)

    (problem,) = asked.result.errors
    assert problem.params == {"confirm": "yes ***"}
    assert done.status is RunStatus.QUEUED
    assert SECRET not in stored(workshop)


def test_a_rerun_masks_what_is_given_again(workshop):
    workshop.register()
    workshop.write("Fails", "exit 3", inputs=INPUTS)
    workshop.submit("Fails.md", env_vars={"PW": SECRET})

    again = ExecuteRequest({"PW": SECRET}, reason=f"as {SECRET}")
    run = workshop.engine.retry(workshop.execute(), ANN, again).run

    assert run.request.reason == "as ***"
    assert SECRET not in stored(workshop)


def test_a_rerun_keeps_no_secret_of_its_key(workshop):
    workshop.register()
    workshop.write("Fails", "exit 3", inputs=INPUTS)
    workshop.submit("Fails.md", env_vars={"PW": SECRET})
    failed = workshop.execute()
    again = ExecuteRequest({"PW": SECRET}, idempotency_key=f"k-{SECRET}")

    first = workshop.engine.retry(failed, ANN, again)
    second = workshop.engine.retry(failed, ANN, again)

    assert (second.run.id, second.replayed) == (first.run.id, True)
    assert SECRET not in stored(workshop)
