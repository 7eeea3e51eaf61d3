"""Requests that start a run, answered by a stream, by JSON at the end, or immediately."""

from __future__ import annotations

import json
from collections.abc import Iterator

from flask import Response, g, request

from runbook.api import accept, wire
from runbook.api.bodies import RunBody
from runbook.api.context import engine
from runbook.api.routing import Limit, Parameter, RoutePolicy
from runbook.core.permissions import Permission
from runbook.engine.requests import ExecuteRequest, Submitted
from runbook.errors import RequestError

MAX_STACK_BYTES = 64 * 1024
MAX_KEY_CHARACTERS = 255
RECURSION = Parameter(
    "X-Recursion-Stack",
    "Refs of the calling runbooks; scripts pass it on",
    "header",
    {"type": "array", "items": {"type": "string"}},
    "application/json",
)
CORRELATION = Parameter(
    "X-Correlation-Id", "1 to 128 characters of A-Z a-z 0-9 . _ : -; stored with the run", "header"
)
IDEMPOTENCY = Parameter(
    "Idempotency-Key",
    "For 24 hours, the same key, caller and body return the same run",
    "header",
    {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS},
)
PREFER = Parameter(
    "Prefer", "`respond-async` returns 202 immediately, with the run's Location", "header"
)


def starting(
    permission: Permission,
    summary: str,
    description: str,
    body: type[RunBody] = RunBody,
    parameters: tuple[Parameter, ...] = (CORRELATION, IDEMPOTENCY, PREFER),
) -> RoutePolicy:
    """The policy of a view that starts a run."""
    return RoutePolicy(
        permission,
        Limit.EXECUTE,
        summary,
        description=description,
        body=body,
        replies={202: "Accepted (Prefer: respond-async); Location is the run's URL"},
        media=(accept.JSON, accept.EVENTS),
        parameters=parameters,
        schema="Done",
        tag="runbooks" if permission is Permission.RUNBOOK_EXECUTE else "runs",
        conflicts=True,
    )


def execute_request(body: RunBody) -> ExecuteRequest:
    """The request made by the body and the headers. Raises RequestError."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= MAX_KEY_CHARACTERS:
        raise RequestError(f"Idempotency-Key must have 1 to {MAX_KEY_CHARACTERS} characters")
    return ExecuteRequest(
        env_vars=body.env_vars,
        reason=body.reason,
        confirm=body.confirm,
        dry_run=body.dry_run,
        digest=body.digest,
        correlation_id=g.correlation_id,
        recursion_stack=recursion_stack(),
        idempotency_key=key,
    )


def started_reply(submitted: Submitted, *, as_json: bool) -> Response:
    """Stream the run's events or, if the client prefers, return `done` as JSON or only the ID."""
    run_id = submitted.run.id
    g.correlation_id = submitted.correlation_id or g.correlation_id
    headers = {"X-Run-Id": run_id}
    if submitted.replayed:
        headers["Idempotent-Replayed"] = "true"
    if "respond-async" in request.headers.get("Prefer", "").lower():
        reply = wire.json_reply({"run_id": run_id, "status": submitted.run.status.value}, 202)
        headers |= {"Location": f"/api/runs/{run_id}", "Preference-Applied": "respond-async"}
    elif as_json:
        pieces: Iterator[bytes] = wire.done_reply(engine(), run_id)
        reply = Response(pieces, 200, wire.STREAM_HEADERS, mimetype="application/json")
    else:
        reply = wire.event_stream(wire.raw_events(engine(), run_id))
    reply.headers.update(headers)
    return reply


def recursion_stack() -> tuple[str, ...]:
    """The chain of refs that the caller sent. Raises RequestError unless it is a list of texts."""
    text = request.headers.get("X-Recursion-Stack", "").strip()
    if not text:
        return ()
    try:
        stack = json.loads(text) if len(text) <= MAX_STACK_BYTES else None
    except (ValueError, RecursionError):
        stack = None
    if not isinstance(stack, list) or not all(isinstance(ref, str) for ref in stack):
        raise RequestError("X-Recursion-Stack must be a JSON list of refs")
    return tuple(stack)
