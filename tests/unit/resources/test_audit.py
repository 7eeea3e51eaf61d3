"""The JSON of an audit event has exactly the documented members."""

from runbook.core.audit import SYSTEM, AuditAction, NewAuditEvent, Target, TargetKind, linked
from runbook.resources.audit import AuditEventJson, audit_event_json


def test_the_json_of_an_event_is_what_is_documented():
    new = NewAuditEvent(SYSTEM, AuditAction.RUNS_PURGE, Target(TargetKind.STORE, "runs"))
    shown = audit_event_json(linked(new, 1, 0, "0" * 64))
    assert shown.keys() == AuditEventJson.__annotations__.keys()
