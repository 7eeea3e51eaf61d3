"""The audit trail."""

from __future__ import annotations

from typing import Annotated, Any, cast

from typing_extensions import TypedDict

from runbook.core.audit import AuditEvent, audit_json
from runbook.resources.forms import Doc
from runbook.store.models import AuditPage


class AuditEventJson(TypedDict):
    """Who did what, or was refused. `digest` covers the other members: see core/audit.py."""

    n: Annotated[int, Doc("Sequence number, from 1 without gaps")]
    at: str
    subject: Annotated[str, Doc("Who acted; `system` for the engine itself")]
    origin: str | None
    address: str | None
    action: Annotated[str, Doc("For example `run.cancel` or `access.refused`")]
    target_kind: str
    target: Annotated[str, Doc("Run ID, runbook, host or other target")]
    details: dict[str, Any]
    previous: Annotated[str, Doc("Digest of the previous event")]
    digest: str


class AuditPageJson(TypedDict):
    events: list[AuditEventJson]
    next_cursor: Annotated[int | None, Doc("`cursor` of the next page; null on the last page")]


def audit_event_json(event: AuditEvent) -> AuditEventJson:
    # The same function makes the JSON that is shown and the JSON that the digest covers.
    return cast("AuditEventJson", audit_json(event))


def audit_page_json(page: AuditPage) -> AuditPageJson:
    return {
        "events": [audit_event_json(event) for event in page.events],
        "next_cursor": page.next_cursor,
    }
