import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook.core.permissions import (
    ALL_GRANTS,
    NO_GRANTS,
    STANDARD_ROLES,
    Grant,
    Grants,
    Permission,
    RolePermissions,
)

STANDARD = RolePermissions.parse(STANDARD_ROLES)
EVERYONE = {
    "runbook.list",
    "runbook.read",
    "runbook.validate",
    "runbook.execute",
    "runbook.history",
    "run.read",
    "run.cancel",
    "run.rerun",
    "token.issue",
    "toolkit.read",
    "connection.read",
    "connection.use",
    "inventory.read",
    "config.read",
    "server.read",
}


def given_by(grants):
    return {permission.value for permission in Permission if grants.allow(permission)}


def test_what_everyone_may_do():
    assert given_by(STANDARD.grants(())) == EVERYONE
    assert given_by(STANDARD.grants(("administrator", "sre"))) == EVERYONE


def test_the_role_admin_has_every_permission():
    assert given_by(STANDARD.grants(("sre", "admin"))) == set(Permission)


def test_roles_add_to_what_everyone_has():
    roles = RolePermissions.parse("*=runbook.list; ops = server.* , run.read ;none=")
    assert given_by(roles.grants(("ops", "none"))) == {
        "runbook.list",
        "run.read",
        "server.read",
        "server.shutdown",
    }
    assert given_by(roles.grants(())) == {"runbook.list"}


def test_where_no_role_is_everyones_a_stranger_may_do_nothing():
    assert given_by(RolePermissions.parse("sre=run.read").grants(("dev",))) == set()


@pytest.mark.parametrize("text", ["sre", "=run.read", "a=run.reed", "a=run.read;a=run.cancel"])
def test_what_is_not_understood_is_refused(text):
    with pytest.raises(ValueError, match=r"role|permission"):
        RolePermissions.parse(text)


@given(
    st.dictionaries(
        st.sampled_from(["*", "admin", "sre"]), st.frozensets(st.sampled_from(Permission))
    )
)
@example(
    {"admin": frozenset(Permission), "sre": frozenset({Permission.RUN_READ}), "*": frozenset()}
)
def test_the_text_of_a_setting_is_read_back(roles):
    assert RolePermissions.parse(str(RolePermissions(roles))) == RolePermissions(roles)


def test_the_text_of_a_setting_is_short():
    text = "*=runbook.list,run.read;admin=*"
    assert str(RolePermissions.parse("*=run.read,runbook.list; admin = *")) == text


def test_a_pattern_limits_a_grant_to_refs():
    grants = Grants.of([Permission.RUN_READ], "net/*", "One.md")
    assert grants.allow(Permission.RUN_READ)
    assert not grants.allow_all(Permission.RUN_READ)
    refs = ["net/a.md", "net/a/b.md", "One.md", "NET/a.md", "network.md"]
    assert [grants.allow(Permission.RUN_READ, ref) for ref in refs] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert not grants.allow(Permission.RUN_CANCEL, "One.md")


def test_a_permission_of_one_grant_does_not_take_the_refs_of_another():
    one = Grant(frozenset({Permission.RUN_READ}), ("a/*",))
    other = Grant(frozenset({Permission.RUN_CANCEL}), ("b/*",))
    grants = Grants(frozenset({one, other}))
    assert not grants.allow(Permission.RUN_CANCEL, "a/x.md")


grant = st.builds(
    Grant,
    st.frozensets(st.sampled_from(Permission)),
    st.lists(st.sampled_from(["*", "a/*", "b.md"])).map(tuple),
)
grants_of = st.frozensets(grant).map(Grants)
refs = st.none() | st.sampled_from(["a/x.md", "b.md", "c.md"])


@given(grants_of, grant, st.sampled_from(Permission), refs)
def test_one_more_grant_takes_nothing_away(grants, more, permission, ref):
    if grants.allow(permission, ref):
        assert Grants(grants.items | {more}).allow(permission, ref)


@given(grants_of, st.frozensets(st.sampled_from(Permission)), st.sampled_from(Permission), refs)
@example(ALL_GRANTS, frozenset({Permission.RUN_READ}), Permission.RUN_READ, "b.md")
@example(ALL_GRANTS, frozenset({Permission.RUN_READ}), Permission.RUN_CANCEL, "b.md")
def test_a_limit_leaves_what_both_allow(grants, limit, permission, ref):
    both = permission in limit and grants.allow(permission, ref)
    assert grants.limited_to(limit).allow(permission, ref) == both


def test_all_and_nothing():
    assert given_by(ALL_GRANTS) == set(Permission)
    assert given_by(NO_GRANTS) == set()
