"""The audit trail."""

from __future__ import annotations

from typing import Annotated, Any, cast

from typing_extensions import TypedDict

from runbook.core.audit import AuditEvent, audit_json
from runbook.resources.forms import Doc
from runbook.store.models import AuditPage


class AuditEventJson(TypedDict):
    """Who did what, or was refused. Compute `digest` from the other members: see core/audit.py."""

    n: Annotated[int, Doc("Number in the trail, from 1 without gaps")]
    at: str
    subject: Annotated[str, Doc("Who acted; `system` for the engine itself")]
    origin: str | None
    address: str | None
    action: Annotated[str, Doc("Such as `run.cancel` or `access.refused`")]
    target_kind: str
    target: Annotated[str, Doc("Run ID, runbook, host or other target")]
    details: dict[str, Any]
    previous: Annotated[str, Doc("Digest of the previous event")]
    digest: str


class AuditPageJson(TypedDict):
    events: list[AuditEventJson]
    next_cursor: Annotated[int | None, Doc("Leads to the next page; null on the last")]


def audit_event_json(event: AuditEvent) -> AuditEventJson:
    # What is shown is what the digest covers: one function makes both.
    return cast("AuditEventJson", audit_json(event))


def audit_page_json(page: AuditPage) -> AuditPageJson:
    return {
        "events": [audit_event_json(event) for event in page.events],
        "next_cursor": page.next_cursor,
    }
