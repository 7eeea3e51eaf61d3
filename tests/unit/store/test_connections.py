"""Connections in the database: each change with its audit event, secrets as they came."""

from dataclasses import replace

import pytest

from runbook.core.audit import Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.connection import Connection, ConnectionUse, LastCheck, Sealed
from runbook.errors import ConflictError, DuplicateError, NotFoundError

LAB = Connection(
    "lab", "proxmox", {"host": "pve", "port": 8006}, frozenset({"token_secret"}),
    {"roles": ("sre",)}, {"site": "berlin"}, "The lab", 1, 5, 6, "ann", 6, None, None,
    Sealed("k1", b"\0sealed"),
)  # fmt: skip


def event(action=AuditAction.CONNECTION_ADD):
    return NewAuditEvent(Actor("ann"), action, Target(TargetKind.CONNECTION, "lab"))


def actions(store):
    return [event.action for event in store.audit.page().events]


def test_a_connection_comes_back_as_it_was(store):
    store.connections.add(LAB, event())
    assert store.connections.get("lab") == LAB
    assert store.connections.all() == (LAB,)
    assert store.connections.get("other") is None
    with pytest.raises(DuplicateError):
        store.connections.add(LAB, event())
    assert actions(store) == ["connection.add"]


def test_a_change_needs_the_revision_before_it(store):
    store.connections.add(LAB, event())
    changed = replace(LAB, revision=2, values={"host": "other"}, sealed=None, secrets=frozenset())
    store.connections.replace(changed, event(AuditAction.CONNECTION_EDIT))
    assert store.connections.get("lab") == changed
    with pytest.raises(ConflictError):
        store.connections.replace(changed, event(AuditAction.CONNECTION_EDIT))
    with pytest.raises(NotFoundError):
        store.connections.replace(replace(changed, name="x"), event(AuditAction.CONNECTION_EDIT))
    assert actions(store) == ["connection.edit", "connection.add"]


def test_a_check_changes_nothing_but_its_result(store):
    store.connections.add(LAB, event())
    check = LastCheck(False, "auth", "401", None, 7)
    store.connections.keep_check(LAB, check, event(AuditAction.CONNECTION_CHECK))
    store.connections.keep_check(
        replace(LAB, revision=2), check, event(AuditAction.CONNECTION_CHECK)
    )
    assert store.connections.get("lab") == replace(LAB, check=check)
    assert actions(store) == ["connection.check", "connection.add"]


def test_what_is_removed_is_gone(store):
    store.connections.add(LAB, event())
    store.connections.remove("lab", event(AuditAction.CONNECTION_REMOVE))
    with pytest.raises(NotFoundError):
        store.connections.remove("lab", event(AuditAction.CONNECTION_REMOVE))
    assert (store.connections.all(), len(actions(store))) == ((), 2)


def test_all_secrets_are_sealed_again_or_none(store):
    store.connections.add(LAB, event())
    store.connections.add(replace(LAB, name="ipam"), event())
    store.connections.add(replace(LAB, name="open", sealed=None), event())
    reseal = event(AuditAction.CONNECTIONS_RESEAL)

    def half(name, sealed):
        if name == "lab":
            raise ConflictError("no")
        return Sealed("k2", b"new")

    with pytest.raises(ConflictError):
        store.connections.reseal(half, reseal)
    assert store.connections.keys() == {"k1"}
    assert store.connections.reseal(lambda name, _: Sealed("k2", name.encode()), reseal) == 2
    assert store.connections.keys() == {"k2"}
    assert store.connections.get("lab").sealed == Sealed("k2", b"lab")
    assert store.connections.get("open").sealed is None
    assert actions(store) == ["connections.reseal", *["connection.add"] * 3]


def test_a_run_keeps_what_it_used(store, helper):
    run = helper.running()
    uses = [ConnectionUse("PVE", "lab", "proxmox", 1), ConnectionUse("IPAM", "env", "netbox", None)]
    store.connections.use(run.id, "w", uses)
    store.connections.use(run.id, "w", uses)
    store.connections.use(run.id, "other", [ConnectionUse("X", "x", "x", 1)])
    assert store.connections.used_by(run.id) == (uses[1], uses[0])
    helper.finish(run.id)
    store.maintenance.purge(helper.clock() + 1000)
    assert store.connections.used_by(run.id) == ()


def test_a_connection_knows_the_last_run_that_used_it(store, helper):
    store.connections.add(LAB, event())
    assert store.connections.get("lab").last_use is None
    for _ in range(2):
        run = helper.running()
        at = helper.clock()
        uses = [ConnectionUse(name, "lab", "proxmox", 1) for name in ("PVE", "OTHER")]
        store.connections.use(run.id, "w", uses)
    last = store.connections.get("lab").last_use
    assert last.run_id == run.id
    assert last.at >= at
    assert [one.last_use for one in store.connections.all()] == [last]
    helper.finish(run.id)
    store.maintenance.purge(helper.clock() + 1000)
    assert store.connections.get("lab").last_use != last
