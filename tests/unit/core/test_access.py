from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.core.access import Action, Principal, Requirement, authorize, claim_values, was_local
from runbook.core.run import Origin, Requester

ROLES = {"roles": ("sre", "api")}


def principal(**claims: object) -> Principal:
    return Principal("someone", Origin.API, claims)


@pytest.mark.parametrize("roles", ["sre", "dev,api", " dev , sre ", ["dev", "sre"], ("api",)])
def test_any_allowed_value_will_do(roles):
    assert authorize(principal(roles=roles), ROLES, Action.EXECUTE).allowed


@pytest.mark.parametrize(
    "roles",
    ["", "sres", "SRE", "sre api", "s", [], ["sre,api"], [["sre"]], {"sre": True}, None, 1, True],
)
def test_nothing_else_will_do(roles):
    assert not authorize(principal(roles=roles), ROLES, Action.EXECUTE).allowed


def test_every_claim_must_match():
    required = {**ROLES, "team": ("net",)}
    assert authorize(principal(roles="sre", team="net"), required, Action.EXECUTE).allowed
    decision = authorize(principal(roles="viewer"), required, Action.EXECUTE)
    assert decision.text == (
        "RBAC check failed for execute. Missing or invalid claims: "
        "roles=viewer (required: sre, api), team (not present)"
    )
    assert decision.missing == ("roles=viewer (required: sre, api)", "team (not present)")
    assert decision.unmet == (
        Requirement("roles", ("sre", "api"), ("viewer",)),
        Requirement("team", ("net",), None),
    )


def test_the_text_names_the_action():
    text = authorize(principal(), ROLES, Action.VALIDATE).text
    assert text.startswith("RBAC check failed for validate. ")


def test_a_runbook_without_the_section_is_for_all():
    assert authorize(principal(), None, Action.EXECUTE).allowed


@pytest.mark.parametrize(("required", "known"), [(None, False), (ROLES, False), ({}, True)])
def test_claims_that_are_not_understood_are_for_nobody(required, known):
    caller = principal(roles=["admin", "sre"])
    decision = authorize(caller, required, Action.EXECUTE, known=known)
    assert not decision.allowed
    assert "cannot be understood" in decision.text


def test_an_empty_list_of_values_is_for_nobody():
    assert not authorize(principal(roles=""), {"roles": ()}, Action.EXECUTE).allowed


def test_claims_do_not_bind_the_person_at_the_machine():
    local = Principal("root", Origin.CLI, local=True)
    assert authorize(local, ROLES, Action.EXECUTE, known=False).allowed


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (2.5, "2.5"), (True, "true")])
def test_numbers_and_booleans_count_as_their_json(value, text):
    assert authorize(principal(level=value), {"level": (text,)}, Action.EXECUTE).allowed


def test_who_is_an_admin():
    assert principal(roles="dev, admin").is_admin
    assert not principal(roles="administrator").is_admin
    assert not principal(role="admin").is_admin


values = st.sampled_from(["a", "b", "ab", "A", "a b"])


@settings(deadline=None)
@given(
    st.dictionaries(values, st.lists(values) | values | st.none() | st.integers()),
    st.dictionaries(values, st.lists(values, min_size=1).map(tuple), min_size=1),
)
def test_allowed_exactly_where_every_claim_shares_a_value(claims, required):
    allowed = authorize(Principal("x", Origin.API, claims), required, Action.EXECUTE).allowed
    shared = [set(claim_values(claims.get(name))) & set(required[name]) for name in required]
    assert allowed == all(shared)


@pytest.mark.parametrize(
    ("caller", "is_admin"),
    [
        (principal(roles="dev, admin"), True),
        (principal(roles=["admin"]), True),
        (principal(roles="administrator"), False),
        (principal(), False),
        (Principal("root", Origin.CLI, local=True), True),
    ],
)
def test_an_admin_has_the_role_or_is_at_the_machine(caller, is_admin):
    assert caller.is_admin is is_admin


def test_what_is_kept_of_a_caller():
    caller = Principal("ann", Origin.API, {"roles": "sre"}, "192.0.2.1", run_id="r")
    kept = caller.requester()
    assert (kept.subject, kept.origin, kept.claims) == ("ann", Origin.API, {"roles": "sre"})
    assert kept.address == "192.0.2.1"


@pytest.mark.parametrize(
    ("requester", "expected"),
    [
        (Requester("local:me", Origin.CLI), True),
        (Requester("local:me", Origin.API), False),
        (Requester("me", Origin.CLI), False),
        (Requester("local:me", Origin.CLI, {"roles": ["sre"]}), False),
    ],
)
def test_who_was_the_local_operator(requester, expected):
    assert was_local(requester) is expected
