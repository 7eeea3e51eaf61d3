"""Connections on behalf of a principal."""

from dataclasses import replace

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import STANDARD_ROLES, Permission, RolePermissions
from runbook.core.run import Origin
from runbook.engine.connections.connections import Changes, NewConnection
from runbook.errors import (
    AccessDeniedError,
    ConflictError,
    DuplicateError,
    InvalidConnectionError,
    NotFoundError,
)

ROLES = RolePermissions.parse(STANDARD_ROLES)
VALUES = {"host": "pve.example.com", "token_id": "root@pam!rb", "token_secret": "s3cret-value"}


def caller(name, *roles):
    return Principal(name, Origin.API, {"roles": list(roles)}, grants=ROLES.grants(roles))


ADMIN, SRE, DEV = caller("root", "admin"), caller("ann", "sre"), caller("bob", "dev")


@pytest.fixture
def connections(workshop):
    return workshop.engine.connections


@pytest.fixture
def lab(connections):
    return connections.add(NewConnection("lab", "proxmox", VALUES, {"roles": "sre"}), ADMIN)


def secrets_of(workshop, name):
    return workshop.engine.parts.connections.open(workshop.store.connections.get(name)).secrets


def events(workshop):
    return [(it.action, it.target, it.details) for it in workshop.store.audit.page().events]


def test_secrets_are_sealed_apart(workshop, lab):
    assert (lab.values, lab.secrets) == (
        {"host": "pve.example.com", "token_id": "root@pam!rb"},
        {"token_secret"},
    )
    assert secrets_of(workshop, "lab") == ("s3cret-value",)
    ((action, target, details),) = events(workshop)
    assert (action, target) == ("connection.add", "lab")
    assert details == {
        "kind": "proxmox",
        "fields": ["host", "token_id", "token_secret"],
        "claims": {"roles": ["sre"]},
    }


def test_callers_see_what_their_claims_allow(connections, lab):
    connections.add(NewConnection("open", "proxmox", VALUES), ADMIN)

    def names(who):
        return [one.name for one in connections.list(who)]

    assert (names(SRE), names(DEV), names(ADMIN)) == (["lab", "open"], ["open"], ["lab", "open"])
    assert connections.list(SRE, "netbox") == []
    assert connections.show("lab", SRE).name == "lab"
    with pytest.raises(AccessDeniedError) as refused:
        connections.show("lab", DEV)
    assert refused.value.details["missing"][0]["claim"] == "roles"
    # Who manages connections may not use all of them.
    assert (connections.usable(lab, SRE), connections.usable(lab, ADMIN)) == (True, False)
    with pytest.raises(NotFoundError):
        connections.show("nowhere", SRE)


@pytest.mark.parametrize(
    "act",
    [
        lambda c: c.add(NewConnection("x", "proxmox", VALUES), SRE),
        lambda c: c.edit("lab", Changes(), SRE),
        lambda c: c.remove("lab", SRE),
        lambda c: c.reseal(SRE),
    ],
)
def test_only_who_may_write_changes_anything(workshop, connections, lab, act):
    with pytest.raises(AccessDeniedError):
        act(connections)
    assert events(workshop)[0][0] == "access.refused"
    assert workshop.store.connections.all() == (lab,)


def test_an_edit_leaves_what_it_does_not_name(workshop, connections, lab):
    changed = connections.edit("lab", Changes({"port": 8007}), ADMIN)
    assert changed.values == {**lab.values, "port": 8007}
    assert (changed.sealed, changed.claims, changed.revision) == (lab.sealed, lab.claims, 2)
    assert workshop.store.connections.get("lab") == changed
    assert events(workshop)[0][2] == {"kind": "proxmox", "revision": 2, "fields": ["port"]}


def test_a_secret_is_rotated_and_a_value_removed(workshop, connections, lab):
    connections.edit("lab", Changes({"user": "rb@pve", "password": "hunter22"}), ADMIN)
    connections.edit("lab", Changes({"token_id": None, "token_secret": None}), ADMIN)
    assert secrets_of(workshop, "lab") == ("hunter22",)
    assert workshop.store.connections.get("lab").secrets == {"password"}
    connections.edit("lab", Changes({"password": "other-one"}), ADMIN)
    assert secrets_of(workshop, "lab") == ("other-one",)
    assert events(workshop)[0][2]["fields"] == ["password"]


def test_claims_and_labels_are_replaced(workshop, connections, lab):
    changed = connections.edit("lab", Changes(claims={}, labels={"site": "x"}), ADMIN)
    assert (changed.claims, changed.labels) == ({}, {"site": "x"})
    assert events(workshop)[0][2] == {
        "kind": "proxmox",
        "revision": 2,
        "fields": [],
        "claims": {},
        "claims_before": {"roles": ["sre"]},
        "labels": {"site": "x"},
    }


def test_what_has_changed_meanwhile_is_not_overwritten(connections, lab):
    connections.edit("lab", Changes({"port": 1}, revision=1), ADMIN)
    with pytest.raises(ConflictError):
        connections.edit("lab", Changes({"port": 2}, revision=1), ADMIN)
    with pytest.raises(DuplicateError):
        connections.add(NewConnection("lab", "proxmox", VALUES), ADMIN)


def test_everything_wrong_is_said_at_once(connections, lab):
    new = NewConnection("a b", "proxmox", {"hots": 1}, {"roles": []}, {"?": "x"}, "x" * 501)
    with pytest.raises(InvalidConnectionError) as raised:
        connections.add(new, ADMIN)
    assert {problem.code for problem in raised.value.details["problems"]} == {
        "bad_connection_name", "unknown_field", "missing_field", "bad_claim", "bad_label",
        "bad_description",
    }  # fmt: skip
    with pytest.raises(InvalidConnectionError) as raised:
        connections.add(replace(new, kind="proxmoxx"), ADMIN)
    assert raised.value.details["problems"][1].hint == "Did you mean proxmox?"
    with pytest.raises(InvalidConnectionError):
        connections.edit("lab", Changes({"host": None}), ADMIN)


def test_a_check_is_kept_and_masked(workshop, connections, lab, monkeypatch):
    asked = {}

    def ask(module, *arguments, question, **more):
        asked.update(module=module, arguments=arguments, question=question)
        return '{"ok": false, "code": "auth", "message": "bad s3cret-value", "version": null}'

    monkeypatch.setattr("runbook.engine.connections.asking.ask_module", ask)
    found = connections.check("lab", SRE)
    assert (found.ok, found.code, found.message) == (False, "auth", "bad ***")
    assert asked["arguments"] == ("runbook.connectors.proxmox",)
    assert "s3cret-value" in asked["question"]
    assert workshop.store.connections.get("lab").check == found
    assert events(workshop)[0][0] == "connection.check"
    # It says nothing of other values.
    assert connections.edit("lab", Changes(labels={"a": "b"}), ADMIN).check == found
    assert connections.edit("lab", Changes({"port": 1}), ADMIN).check is None


def test_the_process_of_a_check_answers_and_is_killed_in_time(workshop, connections, lab):
    kind = "runbook.engine.connections.asking"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{kind}.CHECK_SECONDS", 0.001)
        assert connections.check("lab", ADMIN).code == "timeout"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{kind}.CHECKING", "runbook.connectors.nowhere")
        assert connections.check("lab", ADMIN).code == "server"


def test_all_secrets_get_a_new_key(workshop, connections, lab):
    connections.add(NewConnection("other", "proxmox", VALUES), ADMIN)
    before = workshop.store.connections.keys()
    assert connections.reseal(ADMIN) == 2
    assert workshop.store.connections.keys() != before
    assert secrets_of(workshop, "lab") == ("s3cret-value",)
    third = connections.add(NewConnection("third", "proxmox", VALUES), ADMIN)
    assert workshop.store.connections.keys() == {third.sealed.key_id}


def test_secrets_that_cannot_be_opened_are_set_again(workshop, connections, lab):
    (workshop.settings.data_dir / "keys" / "connections").unlink()
    workshop.engine.parts.connections.vault._known.clear()
    with pytest.raises(InvalidConnectionError):
        connections.edit("lab", Changes({"port": 1}), ADMIN)
    connections.edit("lab", Changes({"token_secret": "a-new-one"}), ADMIN)
    assert secrets_of(workshop, "lab") == ("a-new-one",)


def test_removed_is_gone(workshop, connections, lab):
    connections.remove("lab", ADMIN)
    assert workshop.store.connections.all() == ()
    assert events(workshop)[0][:2] == ("connection.remove", "lab")


def test_a_script_may_use_but_not_read():
    from runbook.core.permissions import SCRIPT_PERMISSIONS

    assert Permission.CONNECTION_USE in SCRIPT_PERMISSIONS
    assert not SCRIPT_PERMISSIONS & {Permission.CONNECTION_READ, Permission.CONNECTION_WRITE}
