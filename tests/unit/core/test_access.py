from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.access import (
    Decision,
    ForeignRun,
    MissingPermission,
    Principal,
    Requirement,
    UnreadableClaims,
    authorize,
    missing_json,
    permitted,
    was_local,
)
from runbook.core.claims import claim_values
from runbook.core.permissions import ALL_GRANTS, Grants, Permission
from runbook.core.run import Origin, Requester

ROLES = {"roles": ("sre", "api")}


def principal(**claims: object) -> Principal:
    return Principal("someone", Origin.API, claims)


@pytest.mark.parametrize("roles", ["sre", "dev,api", " dev , sre ", ["dev", "sre"], ("api",)])
def test_any_allowed_value_will_do(roles):
    assert authorize(principal(roles=roles), ROLES, Permission.RUNBOOK_EXECUTE).allowed


@pytest.mark.parametrize(
    "roles",
    ["", "sres", "SRE", "sre api", "s", [], ["sre,api"], [["sre"]], {"sre": True}, None, 1, True],
)
def test_nothing_else_will_do(roles):
    assert not authorize(principal(roles=roles), ROLES, Permission.RUNBOOK_EXECUTE).allowed


def test_every_claim_must_match():
    required = {**ROLES, "team": ("net",)}
    assert authorize(
        principal(roles="sre", team="net"), required, Permission.RUNBOOK_EXECUTE
    ).allowed
    decision = authorize(principal(roles="viewer"), required, Permission.RUNBOOK_EXECUTE)
    assert decision.text == (
        "RBAC check failed for execute. Missing or invalid claims: "
        "roles=viewer (required: sre, api), team (not present)"
    )
    assert decision.missing == (
        Requirement("roles", ("sre", "api"), ("viewer",)),
        Requirement("team", ("net",), None),
    )
    assert missing_json(decision)[0] == {
        "code": "claim",
        "claim": "roles",
        "wanted": ("sre", "api"),
        "given": ("viewer",),
        "text": "roles=viewer (required: sre, api)",
    }


def test_the_text_names_the_action():
    text = authorize(principal(), ROLES, Permission.RUNBOOK_VALIDATE).text
    assert text.startswith("RBAC check failed for validate. ")


def test_a_runbook_without_the_section_is_for_all():
    assert authorize(principal(), None, Permission.RUNBOOK_EXECUTE).allowed


@pytest.mark.parametrize(("required", "known"), [(None, False), (ROLES, False), ({}, True)])
def test_claims_that_are_not_understood_are_for_nobody(required, known):
    caller = principal(roles=["admin", "sre"])
    decision = authorize(caller, required, Permission.RUNBOOK_EXECUTE, known=known)
    assert decision.missing == (UnreadableClaims(),)
    assert missing_json(decision)[0]["code"] == "required_claims_unreadable"


def test_an_empty_list_of_values_is_for_nobody():
    assert not authorize(principal(roles=""), {"roles": ()}, Permission.RUNBOOK_EXECUTE).allowed


def test_claims_do_not_bind_the_person_at_the_machine():
    local = Principal("root", Origin.CLI, local=True)
    assert authorize(local, ROLES, Permission.RUNBOOK_EXECUTE, known=False).allowed


@pytest.mark.parametrize(("value", "text"), [(5, "5"), (2.5, "2.5"), (True, "true")])
def test_numbers_and_booleans_count_as_their_json(value, text):
    assert authorize(principal(level=value), {"level": (text,)}, Permission.RUNBOOK_EXECUTE).allowed


RUN_A = Grants.of([Permission.RUN_READ], "a/*")


@pytest.mark.parametrize(
    ("grants", "ref", "missing"),
    [
        (ALL_GRANTS, "b/x.md", ()),
        (RUN_A, "a/x.md", ()),
        (RUN_A, None, ()),
        (RUN_A, "b/x.md", (MissingPermission(Permission.RUN_READ, "b/x.md"),)),
        (Grants(), "a/x.md", (MissingPermission(Permission.RUN_READ),)),
    ],
)
def test_a_permission_that_is_missing_is_named(grants, ref, missing):
    caller = Principal("ann", Origin.API, grants=grants)
    assert permitted(caller, Permission.RUN_READ, ref).missing == missing


def test_what_is_missing_is_told_to_programs():
    caller = Principal("ann", Origin.API)
    assert missing_json(permitted(caller, Permission.RUN_READ)) == [
        {
            "code": "permission",
            "permission": "run.read",
            "ref": None,
            "text": "missing permission run.read",
        }
    ]


values = st.sampled_from(["a", "b", "ab", "A", "a b"])


@given(
    st.dictionaries(values, st.lists(values) | values | st.none() | st.integers()),
    st.dictionaries(values, st.lists(values, min_size=1).map(tuple), min_size=1),
)
def test_allowed_exactly_where_every_claim_shares_a_value(claims, required):
    allowed = authorize(
        Principal("x", Origin.API, claims), required, Permission.RUNBOOK_EXECUTE
    ).allowed
    shared = [set(claim_values(claims.get(name))) & set(required[name]) for name in required]
    assert allowed == all(shared)


claims_of = st.dictionaries(values, st.lists(values))


@given(claims_of, claims_of, st.dictionaries(values, st.lists(values, min_size=1).map(tuple)))
def test_more_claims_never_take_a_right_away(claims, more, required):
    """Monotonic: more claims never allow less."""
    both = {n: [*claims.get(n, []), *more.get(n, [])] for n in claims.keys() | more.keys()}
    if authorize(principal(**claims), required or None, Permission.RUNBOOK_EXECUTE).allowed:
        assert authorize(principal(**both), required or None, Permission.RUNBOOK_EXECUTE).allowed


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


def test_a_decision_tells_claims_from_other_things_that_are_missing():
    claim = Requirement("team", ("net",), None)
    denied = Decision(Permission.RUN_READ, (claim, ForeignRun()))
    assert denied.unmet == (claim,)
    assert Decision(Permission.RUN_READ, (ForeignRun(),)).text == (
        "Access denied: you can only access your own runs."
    )
    assert Decision(Permission.RUN_READ).text == ""


KEYED = Principal("ann", Origin.API, {"a": 1, "b": {2}}, "192.0.2.1")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"subject": "bob", "address": None, "origin": Origin.CLI}, True),
        ({"claims": {"b": {2}, "a": 1}}, True),
        ({"claims": {"a": "1", "b": {2}}}, False),
        ({"claims": {}}, False),
        ({"grants": ALL_GRANTS}, False),
        ({"local": True}, False),
    ],
)
def test_callers_share_a_key_exactly_if_they_have_the_same_access(change, same):
    other = dataclasses.replace(KEYED, **change)
    assert (other.access_key == KEYED.access_key) is same
    assert len({KEYED.access_key, other.access_key}) == (1 if same else 2)
