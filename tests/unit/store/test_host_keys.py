"""Host keys in the database."""

from dataclasses import replace

from runbook.core.audit import Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.ssh.host_key import HostAddress, HostKey, PublicKey

FIRST = HostKey(HostAddress("10.0.0.1", 22), PublicKey("ssh-ed25519", "AAAA"), 5, "r1")
OTHER = replace(FIRST, key=PublicKey("ssh-ed25519", "BBBB"), first_seen=6, run_id=None)
AUDIT = NewAuditEvent(
    Actor("ann"), AuditAction.CONNECTION_RETRUST, Target(TargetKind.CONNECTION, "lab")
)


def test_the_first_key_stays(store):
    assert store.host_keys.of(FIRST.address) is None
    assert store.host_keys.meet(FIRST) == FIRST
    assert store.host_keys.meet(OTHER) == FIRST
    assert store.host_keys.of(FIRST.address) == FIRST
    elsewhere = replace(OTHER, address=HostAddress("10.0.0.1", 2222))
    assert store.host_keys.meet(elsewhere) == elsewhere
    assert store.host_keys.all() == (FIRST, elsewhere)


def test_only_an_audited_change_replaces_it(store):
    store.host_keys.meet(FIRST)
    store.host_keys.replace([OTHER], AUDIT)
    assert store.host_keys.of(FIRST.address) == OTHER
    assert [event.action for event in store.audit.page().events] == ["connection.retrust"]
