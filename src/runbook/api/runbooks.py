"""Runbooks: list, read, validate, execute."""

from __future__ import annotations

import json
from collections.abc import Iterator

from flask import Blueprint, Response, g, request

from runbook.api import wire
from runbook.api.bodies import RunBody, read_body
from runbook.api.context import application, engine, principal
from runbook.api.routing import Access, Limit, Parameter, Policy, route
from runbook.core.access import Action
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wire import report_json, runbook_json
from runbook.errors import RequestError

blueprint = Blueprint("runbooks", __name__, url_prefix="/api/runbooks")

MAX_STACK_BYTES = 64 * 1024
MAX_KEY_CHARACTERS = 255
RECURSION = Parameter(
    "X-Recursion-Stack",
    "The refs that led here; scripts pass it on",
    "header",
    {"type": "array", "items": {"type": "string"}},
    "application/json",
)
CORRELATION = Parameter(
    "X-Correlation-Id", "1-128 of A-Z a-z 0-9 . _ : -; kept with the run", "header"
)
IDEMPOTENCY = Parameter(
    "Idempotency-Key",
    "The same key, caller and body answer the same run for 24 h",
    "header",
    {"type": "string", "minLength": 1, "maxLength": MAX_KEY_CHARACTERS},
)
PREFER = Parameter("Prefer", "respond-async answers 202 with the run's Location", "header")


@route(
    blueprint,
    "",
    policy=Policy(
        Access.TOKEN, Limit.NORMAL, "Every runbook, sorted by path", schema="RunbookList"
    ),
)
def list_runbooks() -> Response:
    body = application().listings.body(engine(), principal())
    return Response(body, mimetype="application/json")


@route(
    blueprint,
    "/<ref:ref>",
    policy=Policy(
        Access.TOKEN,
        Limit.NORMAL,
        "A runbook's text and what it declares; without execute rights it ends at # History",
        schema="RunbookContent",
    ),
)
def get_runbook(ref: str) -> Response:
    entry = engine().entry(ref)
    decision = engine().decide(entry, principal(), Action.EXECUTE)
    content = engine().parts.catalog.content(ref) if decision.allowed else entry.head
    body = {"success": True, **runbook_json(entry)}
    body["executable"] = decision.allowed
    body["missing_claims"] = list(decision.missing)
    body["content"] = content.decode("utf-8", errors="replace").removeprefix("\ufeff")
    return wire.json_reply(body)


@route(
    blueprint,
    "/<ref:ref>/required-env",
    policy=Policy(
        Access.TOKEN,
        Limit.NORMAL,
        "Declared inputs, and which the server can supply",
        schema="RequiredEnv",
    ),
)
def get_required_env(ref: str) -> Response:
    found = engine().required_env(ref)
    body: dict[str, object] = {"success": True, "filename": ref}
    for name in ("required", "available", "missing"):
        body[name] = [
            {"name": item.name, "description": item.description} for item in getattr(found, name)
        ]
    return wire.json_reply(body)


@route(
    blueprint,
    "/<ref:ref>/inputs",
    policy=Policy(
        Access.TOKEN,
        Limit.NORMAL,
        "The inputs as a JSON Schema, with choices that other runbooks have found out",
        schema="InputSchema",
    ),
)
def get_inputs(ref: str) -> Response:
    schema = engine().input_schema(ref, principal())
    # Its numbers may be larger than those that the faster encoder takes.
    return Response(json.dumps(schema), mimetype="application/json")


_VALIDATE = Policy(
    Access.TOKEN,
    Limit.NORMAL,
    "Check the runbook and these inputs without executing",
    body=RunBody,
    replies={400: "Not valid; the same body with success false"},
    parameters=(RECURSION,),
    schema="Report",
)


@route(blueprint, "/<ref:ref>", policy=_VALIDATE, methods=("PATCH",))
@route(blueprint, "/<ref:ref>/validate", policy=_VALIDATE, methods=("PATCH",))
def validate(ref: str) -> Response:
    report = engine().validate(ref, principal(), _execute_request())
    return wire.json_reply(report_json(report), 200 if report.success else 400)


_EXECUTE = Policy(
    Access.TOKEN,
    Limit.EXECUTE,
    "Execute the runbook; its output is streamed, then one done event",
    body=RunBody,
    replies={202: "Accepted (Prefer: respond-async); Location names the run"},
    media=("text/event-stream", "application/json"),
    parameters=(RECURSION, CORRELATION, IDEMPOTENCY, PREFER),
    schema="Done",
)


@route(blueprint, "/<ref:ref>/execute", policy=_EXECUTE, methods=("POST",))
def execute(ref: str) -> Response:
    return _execute(ref, as_json=wire.prefers_json())


@route(blueprint, "/<ref:ref>", policy=_EXECUTE, methods=("POST",))
def execute_as_json(ref: str) -> Response:
    """The address of old quick starts, which expect JSON."""
    return _execute(ref, as_json=True)


def _execute(ref: str, *, as_json: bool) -> Response:
    submitted = engine().submit(ref, principal(), _execute_request())
    run_id = submitted.run.id
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


def _execute_request() -> ExecuteRequest:
    body = read_body(RunBody)
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= MAX_KEY_CHARACTERS:
        raise RequestError(f"Idempotency-Key must be 1 to {MAX_KEY_CHARACTERS} characters")
    return ExecuteRequest(
        env_vars=body.env_vars,
        reason=body.reason,
        correlation_id=g.correlation_id,
        recursion_stack=_recursion_stack(),
        idempotency_key=key,
    )


def _recursion_stack() -> tuple[str, ...]:
    """What the caller says led here. A header that is no list of texts is refused."""
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
