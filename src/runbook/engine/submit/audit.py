"""Audit events of submitted runs."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.core.audit import Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.run import Relation
from runbook.store.models import NewRun

_RERUNS: Mapping[Relation, AuditAction] = {
    Relation.RETRY: AuditAction.RUN_RETRY,
    Relation.RESUME: AuditAction.RUN_RESUME,
    Relation.UNDO: AuditAction.RUN_UNDO,
    Relation.RECOVERY: AuditAction.RUN_RECOVER,
}


def rerun_event(new: NewRun) -> NewAuditEvent | None:
    """The event of a rerun or a recovery; None for any other run."""
    rerun = new.rerun_of
    if rerun is None:
        return None
    details = {"runbook": new.runbook.ref, "run_id": new.id}
    target = Target(TargetKind.RUN, rerun.run_id)
    return NewAuditEvent(_actor(new), _RERUNS[rerun.relation], target, details)


def _actor(new: NewRun) -> Actor:
    requester = new.requester
    return Actor(requester.subject, requester.origin, requester.address)
