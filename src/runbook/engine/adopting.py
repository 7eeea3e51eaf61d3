"""Adopts what a runbook's history doesn't cover: in the file, the database and the audit trail."""

from __future__ import annotations

from runbook import log
from runbook.core.access import Principal
from runbook.core.audit import AuditAction, NewAuditEvent, Target, TargetKind, actor_of
from runbook.core.history.adoption import AdoptionRecord
from runbook.core.permissions import Permission
from runbook.engine.parts import Parts
from runbook.errors import HistoryReadOnlyError
from runbook.library.history import Adopted, adopt
from runbook.quick_dataclass import dataclass
from runbook.resources.history import finding_json
from runbook.store.models import HistoryHead

FINDINGS_SHOWN = 20
"""In the audit trail; the entry in the file has all of them."""


@dataclass(frozen=True, slots=True)
class HistoryAdoption:
    """What was adopted. `compared` is the last entry that the database had."""

    adopted: Adopted
    compared: HistoryHead | None


def adopt_history(parts: Parts, ref: str, principal: Principal, reason: str) -> HistoryAdoption:
    """Take all problems of a runbook's history into its chain. Does nothing if there are none.

    The file comes first. If the process ends before the database is written, the next call
    completes that. Raises NotFoundError, AccessDeniedError, which is recorded, HistoryError, and
    what the store raises.
    """
    entry = parts.catalog.get(ref)
    parts.authorizer.require(principal, Permission.RUNBOOK_ADOPT, entry)
    if parts.catalog.is_read_only(ref):
        raise HistoryReadOnlyError
    head = parts.store.runbooks.history_head(ref)
    who = principal.requester()
    record = AdoptionRecord(
        at=parts.clock(),
        who=who.subject,
        origin=who.origin,
        reason=reason,
        roles=who.roles,
    )
    known = None if head is None else (head.n, head.digest)
    adopted = adopt(parts.catalog.path(ref), record, known)
    if adopted.link is not None or _is_unrecorded(parts, ref, adopted):
        _record(parts, ref, principal, reason, adopted)
    return HistoryAdoption(adopted, head)


def _is_unrecorded(parts: Parts, ref: str, adopted: Adopted) -> bool:
    """Whether the file has an adoption that the audit trail doesn't have."""
    if not adopted.after.adoptions:
        return False
    recorded = parts.store.audit.last(AuditAction.HISTORY_ADOPT, ref)
    last = adopted.after.adoptions[-1]
    return recorded is None or recorded.details.get("digest") != last.digest


def _record(parts: Parts, ref: str, principal: Principal, reason: str, adopted: Adopted) -> None:
    link = adopted.link or adopted.after.adoptions[-1]
    head = adopted.after.last or link
    details = {
        "n": link.n,
        "digest": link.digest,
        "reason": reason,
        "adopted": len(adopted.findings),
        "findings": list(map(finding_json, adopted.findings[:FINDINGS_SHOWN])),
    }
    target = Target(TargetKind.RUNBOOK, ref)
    event = NewAuditEvent(actor_of(principal), AuditAction.HISTORY_ADOPT, target, details)
    parts.store.runbooks.reset_history(ref, HistoryHead(head.n, head.digest), event)
    log.warning("history.adopted", runbook=ref, entry=link.n, by=principal.subject)
