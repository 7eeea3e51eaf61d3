"""The audit trail."""

from __future__ import annotations

from flask import Blueprint, Response, request

from runbook.api import wire
from runbook.api.context import engine, principal
from runbook.api.parameters import INTEGER, PAGE, PAGE_TEXT, moment, number, page_size
from runbook.api.routing import Limit, Parameter, RoutePolicy, route
from runbook.core.permissions import Permission
from runbook.resources.audit import audit_page_json
from runbook.store.models import AuditFilter

blueprint = Blueprint("audit", __name__)


@route(
    blueprint,
    "/api/audit",
    policy=RoutePolicy(
        Permission.AUDIT_READ,
        Limit.NORMAL,
        "List audit events, newest first",
        parameters=(
            Parameter("who", "Filter by who acted"),
            Parameter("action", "Filter by action, for example `run.cancel`"),
            Parameter("target", "Filter by run ID, runbook, host or other target"),
            Parameter("since", "Recorded at or after this ISO 8601 time"),
            Parameter("until", "Recorded before this ISO 8601 time"),
            Parameter("cursor", "`next_cursor` of the previous page", schema=INTEGER),
            Parameter("limit", PAGE_TEXT, schema=PAGE),
        ),
        schema="AuditPage",
        description="Changes outside a run's own script, and refused requests.",
    ),
)
def list_audit_events() -> Response:
    wanted = AuditFilter(
        subject=request.args.get("who") or None,
        action=request.args.get("action") or None,
        target=request.args.get("target") or None,
        since=moment("since"),
        until=moment("until"),
    )
    cursor = number("cursor", 0) or None
    page = engine().audit_events(principal(), wanted, cursor=cursor, limit=page_size())
    return wire.json_reply(audit_page_json(page))
