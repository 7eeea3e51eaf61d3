from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.document import NO_POLICY, Language, OnBusy, Policy, Problem, Retry, Step
from runbook.core.language.policy_rules import (
    check_confirm,
    fill,
    is_success,
    known_locks,
    lock_request,
    retry_of,
)
from runbook.core.run import LockRequest, LockWant

REF = "net/Push.md"
VALUES = {"HOST": "r1", "NAME": "two words"}


# -- templates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("device", "device"),
        ("device:${HOST}", "device:r1"),
        ("${HOST}${HOST}-${NAME}", "r1r1-two words"),
        ("${OTHER}", ""),
        ("$HOST ${HOST", "$HOST ${HOST"),
        ("$${HOST}", "$r1"),
    ],
)
def test_fill(template, text):
    assert fill(template, VALUES) == text


@given(st.text())
def test_a_value_is_put_in_as_it_is(value):
    assert fill("<${HOST}>", {"HOST": value}) == f"<{value}>"


# -- locks ----------------------------------------------------------------------------------------


def test_no_locks():
    assert lock_request(NO_POLICY, REF, VALUES) is None


def test_locks_are_filled_stripped_and_merged():
    policy = Policy(locks=("device:${HOST}", " ${HOST} ", "r1", "${NAME} "))
    assert lock_request(policy, REF, VALUES) == LockRequest(
        (LockWant("device:r1"), LockWant("r1"), LockWant("two words")), waits=True
    )


def test_an_input_with_several_values_makes_a_lock_of_each():
    policy = Policy(locks=("device:${ALL}", "${HOST}", "${ALL}@${HOST}"))
    found = lock_request(policy, REF, VALUES | {"ALL": "x"}, lists={"ALL": ("a", "b")})
    assert [want.name for want in found.wants] == ["device:a", "device:b", "r1", "a@r1", "b@r1"]
    assert (
        lock_request(policy, REF, VALUES, lists={"ALL": ("a", "x" * 201)}).code == "bad_lock_name"
    )


def test_the_locks_known_so_far():
    policy = Policy(locks=("device:${HOST}", "site:${SITE}", "fleet", "${EMPTY}"), concurrency=2)
    known = known_locks(policy, REF, {"HOST": "a", "EMPTY": ""})
    assert known == (
        LockWant("device:a"),
        LockWant("fleet"),
        LockWant(f"concurrency:{REF}", 2),
    )
    assert known_locks(NO_POLICY, REF, {}) == ()


def test_concurrency_is_a_lock_that_several_hold():
    policy = Policy(locks=("a",), concurrency=3, on_busy=OnBusy.FAIL)
    assert lock_request(policy, REF, VALUES) == LockRequest(
        (LockWant("a"), LockWant("concurrency:net/Push.md", 3)), waits=False
    )


def test_concurrency_alone():
    wants = (LockWant("concurrency:net/Push.md"),)
    assert lock_request(Policy(concurrency=1), REF, {}) == LockRequest(wants)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "is empty"),
        ("  \n", "is empty"),
        ("a\nb", "contains a line break or a control character"),
        ("a\x1bb", "contains a line break or a control character"),
        ("a\u2028b", "contains a line break or a control character"),
        ("x" * 201, "is longer than 200 characters"),
        ("concurrency:net/Push.md", "starts with concurrency:"),
    ],
)
def test_a_lock_whose_name_is_of_no_use(value, reason):
    found = lock_request(Policy(locks=("ok", "${HOST}")), REF, {"HOST": value})
    assert isinstance(found, Problem)
    assert found.code == "bad_lock_name"
    assert found.message == f"The lock '${{HOST}}' {reason} with these inputs"
    assert found.hint


def test_a_name_of_the_greatest_length_will_do():
    found = lock_request(Policy(locks=("${HOST}",)), REF, {"HOST": "x" * 200})
    assert found == LockRequest((LockWant("x" * 200),))


def hiding(secret):
    return lambda text: text.replace(secret, "***")


@pytest.mark.parametrize(
    ("template", "secret"),
    [
        ("device:${TOKEN}", "s3cret"),
        ("${TOKEN}", "s3cret"),
        ("s3${PART}", "s3cret"),
        ("${START}${PART}", "s3cret"),
    ],
)
def test_a_lock_whose_name_would_show_a_secret(template, secret):
    values = {"TOKEN": "s3cret", "START": "s3", "PART": "cret"}
    found = lock_request(Policy(locks=(template,)), REF, values, hiding(secret))
    assert isinstance(found, Problem)
    assert (found.code, found.params) == ("bad_lock_name", {"lock": template})
    assert "contains a secret" in found.message
    assert secret not in found.text


def test_a_secret_in_a_value_is_one_even_if_the_document_says_it_too():
    policy = Policy(locks=("s3cret:${TOKEN}",))
    found = lock_request(policy, REF, {"TOKEN": "s3cret"}, hiding("s3cret"))
    assert isinstance(found, Problem)


@pytest.mark.parametrize("template", ["device:r1", "s3cret:${HOST}"])
def test_what_the_document_itself_says_is_no_secret(template):
    found = lock_request(Policy(locks=(template,)), REF, VALUES, hiding("s3cret"))
    assert isinstance(found, LockRequest)


# -- confirmation ---------------------------------------------------------------------------------

CONFIRM = Policy(confirm="delete ${HOST}")


@pytest.mark.parametrize("given_text", [None, "", "anything"])
def test_nothing_to_confirm(given_text):
    assert check_confirm(NO_POLICY, given_text, VALUES) is None


@pytest.mark.parametrize("given_text", ["delete r1", " delete r1\n"])
def test_confirmed(given_text):
    assert check_confirm(CONFIRM, given_text, VALUES) is None


@pytest.mark.parametrize(
    "given_text", [None, "", "delete", "Delete r1", "delete  r1", "delete ${HOST}"]
)
def test_not_confirmed(given_text):
    problem = check_confirm(CONFIRM, given_text, VALUES)
    assert problem is not None
    assert problem.code == "confirmation_needed"
    assert problem.message == "Confirmation needed: type 'delete r1'"
    assert "`confirm`" in (problem.hint or "")
    assert "--confirm" in (problem.hint or "")


@pytest.mark.parametrize("given_text", [None, ""])
def test_a_confirmation_never_vanishes(given_text):
    problem = check_confirm(Policy(confirm="${OTHER}"), given_text, VALUES)
    assert problem is not None
    assert problem.code == "bad_confirmation"
    assert problem.message == "The confirmation text '${OTHER}' is empty with these inputs"


@pytest.mark.parametrize(
    ("typed", "code"), [("delete r1", None), ("delete ***", None), ("***", "confirmation_needed")]
)
def test_a_secret_in_a_confirmation_is_shown_masked_and_may_be_typed_so(typed, code):
    problem = check_confirm(CONFIRM, typed, VALUES, hiding("r1"))
    assert (problem and problem.code) == code
    assert problem is None or problem.params == {"confirm": "delete ***"}


def test_a_confirmation_may_begin_as_a_lock_may_not():
    assert check_confirm(Policy(confirm="concurrency:1"), "concurrency:1", {}) is None


# -- retries and return codes ---------------------------------------------------------------------


def test_a_step_has_its_own_retry_or_the_policys():
    policy = Policy(retry=Retry(3))
    step = Step("One", Language.ZSH, "a\n", 1)
    assert retry_of(step, policy) == Retry(3)
    own = Step("One", Language.ZSH, "a\n", 1, retry=Retry())
    assert retry_of(own, policy) == Retry(1)


def test_success():
    assert is_success(0, NO_POLICY)
    assert not is_success(1, NO_POLICY)
    policy = Policy(success_codes=frozenset({2, 3}))
    assert [code for code in range(-10, 10) if is_success(code, policy)] == [2, 3]
