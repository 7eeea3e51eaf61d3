"""Lists, reads, validates and executes runbooks."""

from __future__ import annotations

import dataclasses
import json

from flask import Blueprint, Response, request

from runbook.api import accept, wire
from runbook.api.bodies import ChoicesBody, RunBody, read_body
from runbook.api.context import application, engine, principal
from runbook.api.execution import (
    CORRELATION,
    IDEMPOTENCY,
    PREFER,
    RECURSION,
    execute_request,
    started_reply,
    starting,
)
from runbook.api.parameters import PAGE, PAGE_TEXT, TEXTS, page_size, signed
from runbook.api.routing import Limit, Parameter, RoutePolicy, route
from runbook.core.permissions import Permission
from runbook.core.runbook_filter import RunbookFilter
from runbook.engine.requests import FormValues
from runbook.resources.choices import choices_json
from runbook.resources.declaration import required_env_json
from runbook.resources.history import history_entry_json, history_page_json
from runbook.resources.preview import runbook_locks_json
from runbook.resources.report import report_json
from runbook.resources.runbook import runbook_json

blueprint = Blueprint("runbooks", __name__, url_prefix="/api/runbooks")


@route(
    blueprint,
    "",
    policy=RoutePolicy(
        Permission.RUNBOOK_LIST,
        Limit.NORMAL,
        "List all runbooks, sorted by path",
        parameters=(
            Parameter("q", "Filter by text in the ref, the name, or the text above History"),
            Parameter(
                "tag", "Only runbooks with this tag in their front matter; repeatable", schema=TEXTS
            ),
            Parameter("owner", "Only runbooks with this owner in their front matter"),
        ),
        schema="RunbookList",
        description=(
            "Also lists runbooks that are invalid or that you may not execute: see `valid`, "
            "`executable` and `missing_claims`."
        ),
        revalidates=True,
    ),
)
def list_runbooks() -> Response:
    asked = request.args
    tags = tuple(tag for tag in asked.getlist("tag") if tag)
    wanted = RunbookFilter(asked.get("q", ""), tags, asked.get("owner", ""))
    body = application().listings.body(engine(), principal(), wanted)
    reply = Response(body.content, mimetype="application/json")
    reply.set_etag(body.etag)
    return wire.revalidated(reply)


@route(
    blueprint,
    "/<ref:ref>",
    policy=RoutePolicy(
        Permission.RUNBOOK_READ,
        Limit.NORMAL,
        "Get the text of a runbook and what it declares",
        schema="RunbookContent",
        description="If you may not execute the runbook, `content` ends at `# History`.",
        revalidates=True,
    ),
)
def get_runbook(ref: str) -> Response:
    found = engine().runbooks.text_for(ref, principal())
    body = runbook_json(found.entry, found.decision, found.content)
    return wire.revalidated(wire.json_reply(body))


@route(
    blueprint,
    "/<ref:ref>/required-env",
    policy=RoutePolicy(
        Permission.RUNBOOK_READ,
        Limit.NORMAL,
        "List declared inputs, and which of them the server can supply",
        schema="RequiredEnv",
    ),
)
def get_required_env(ref: str) -> Response:
    return wire.json_reply(required_env_json(ref, engine().runbooks.required_env(ref, principal())))


@route(
    blueprint,
    "/<ref:ref>/history",
    policy=RoutePolicy(
        Permission.RUNBOOK_HISTORY,
        Limit.NORMAL,
        "List history entries, newest first; requires permission to execute the runbook",
        parameters=(
            Parameter("before", "`next_before` of the previous page", schema={"type": "integer"}),
            Parameter("limit", PAGE_TEXT, schema=PAGE),
        ),
        schema="HistoryPage",
    ),
)
def list_history_entries(ref: str) -> Response:
    page = engine().runbooks.history(ref, principal(), before=signed("before"), limit=page_size())
    known = engine().runbooks.stored_runs(page.entries)
    return wire.json_reply(history_page_json(page, known))


@route(
    blueprint,
    "/<ref:ref>/history/<int:n>",
    policy=RoutePolicy(
        Permission.RUNBOOK_HISTORY,
        Limit.NORMAL,
        "Get a history entry with its output",
        schema="HistoryEntry",
    ),
)
def get_history_entry(ref: str, n: int) -> Response:
    entry = engine().runbooks.history_entry(ref, principal(), n)
    known = engine().runbooks.stored_runs([entry])
    return wire.json_reply(history_entry_json(entry, known))


@route(
    blueprint,
    "/<ref:ref>/inputs",
    policy=RoutePolicy(
        Permission.RUNBOOK_READ,
        Limit.NORMAL,
        "Get the inputs as a JSON Schema, including choices that other runbooks provide",
        schema="InputSchema",
    ),
)
def get_inputs(ref: str) -> Response:
    schema = engine().runbooks.input_schema(ref, principal())
    # orjson can't encode its largest numbers.
    return Response(json.dumps(schema), mimetype="application/json")


@route(
    blueprint,
    "/<ref:ref>/choices/<path>",
    policy=RoutePolicy(
        Permission.RUNBOOK_VALIDATE,
        Limit.NORMAL,
        "Get the choices for an input, given the values of other inputs",
        body=ChoicesBody,
        schema="Choices",
        description=(
            "For inputs whose schema has `x-choices`; others with choices have them too. `path` is "
            "the input's name, or LIST.FIELD. If another runbook provides the choices, it is run "
            "for them, as you and for at most 10 seconds, unless an earlier answer is fresh. If "
            "there are none now, `problem` says why: the status is 200 then, too."
        ),
    ),
    methods=("POST",),
)
def find_choices(ref: str, path: str) -> Response:
    asked = read_body(ChoicesBody)
    values = FormValues(asked.env_vars, asked.row)
    offered = engine().runbooks.choices(ref, principal(), path, values, anew=asked.refresh)
    return wire.json_reply(choices_json(ref, path, offered))


@route(
    blueprint,
    "/<ref:ref>/locks",
    policy=RoutePolicy(
        Permission.RUNBOOK_VALIDATE,
        Limit.NORMAL,
        "List the locks that a run would take now, and their holders",
        parameters=(
            Parameter("input", "Value of an input: `NAME=value`; repeatable", schema=TEXTS),
        ),
        schema="RunbookLocks",
        description=(
            "Inputs that aren't given have their default. Leaves out locks that depend on inputs "
            "without a value. Don't send secrets: no lock depends on them."
        ),
    ),
)
def list_locks(ref: str) -> Response:
    given = dict(text.partition("=")[::2] for text in request.args.getlist("input"))
    return wire.json_reply(runbook_locks_json(engine().runbooks.locks(ref, principal(), given)))


_VALIDATE = RoutePolicy(
    Permission.RUNBOOK_VALIDATE,
    Limit.NORMAL,
    "Validate a runbook and its inputs without starting anything",
    body=RunBody,
    description=(
        "Checks the runbook, the inputs, the input files and your permission. The response is the "
        "same for 200 and 400: `errors` and `warnings` as text, `problems` with codes."
    ),
    replies={400: "Invalid; the same body with `success` false"},
    parameters=(RECURSION,),
    schema="Report",
    conflicts=True,
)


@route(blueprint, "/<ref:ref>", policy=_VALIDATE, methods=("PATCH",), name="validateRunbookShort")
@route(blueprint, "/<ref:ref>/validate", policy=_VALIDATE, methods=("PATCH",))
def validate_runbook(ref: str) -> Response:
    asked = execute_request(read_body(RunBody))
    report = engine().validate(ref, principal(), asked)
    body = report_json(report.ref, report.errors, report.warnings)
    return wire.json_reply(body, 200 if report.success else 400)


_EXECUTE = starting(
    Permission.RUNBOOK_EXECUTE,
    "Execute a runbook, and stream its output or return the result",
    "With `Accept: application/json`, waits for the run to end and returns the result. By default, "
    "streams the output as it comes, and the result as the last event, `done`. With `Prefer: "
    "respond-async`, returns the run's ID at once. Disconnecting does not stop the run.",
    parameters=(RECURSION, CORRELATION, IDEMPOTENCY, PREFER),
)


_EXECUTE_AS_JSON = dataclasses.replace(
    _EXECUTE,
    summary="Execute a runbook and return the result",
    description="Waits for the run to end, whatever the Accept header says.",
    media=(accept.JSON,),
)


@route(blueprint, "/<ref:ref>/execute", policy=_EXECUTE, methods=("POST",))
def execute_runbook(ref: str) -> Response:
    return _execute(ref, as_json=accept.prefers_json())


@route(blueprint, "/<ref:ref>", policy=_EXECUTE_AS_JSON, methods=("POST",))
def execute_runbook_as_json(ref: str) -> Response:
    return _execute(ref, as_json=True)


def _execute(ref: str, *, as_json: bool) -> Response:
    asked = execute_request(read_body(RunBody))
    return started_reply(engine().submit(ref, principal(), asked), as_json=as_json)
