"""Fan-outs: planned and advanced by scripts, watched and paused by people."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from runbook.api import wire
from runbook.api.bodies import read_body
from runbook.api.context import engine, principal, run_of
from runbook.api.execution import RECURSION, recursion_stack
from runbook.api.fanout.bodies import AdvanceBody, FanoutBody
from runbook.api.parameters import PAGE, PAGE_TEXT, TEXT, one_of, page_size
from runbook.api.routing import Limit, Parameter, RoutePolicy, route
from runbook.core.fanout.limits import WhenBusy
from runbook.core.fanout.progress import DeviceState
from runbook.core.fanout.table import write_table
from runbook.core.fanout.views import FanoutDevice
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.engine.fanout.fanouts import Fanouts
from runbook.engine.fanout.requests import ChildInputs, FanoutPlan
from runbook.resources.fanout import advanced_json, fanout_json, fanout_page_json
from runbook.resources.run import run_json

blueprint = Blueprint("fanout", __name__)

_AT_ONCE = 500
_STATE: dict[str, object] = {"type": "string", "enum": [state.value for state in DeviceState]}


@route(
    blueprint,
    "/api/runs/<run_id>/devices",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "List the devices that a run works on, each by a run of its own",
        parameters=(
            Parameter("state", "Filter by state", schema=_STATE),
            Parameter("cursor", "`next_cursor` of the previous page", schema=TEXT),
            Parameter("limit", PAGE_TEXT, schema=PAGE),
        ),
        schema="FanoutPage",
        description=(
            "In the order in which they are started. Empty unless the run's script uses "
            "`runbook fanout`. `next_cursor` and the Link header lead to the next page."
        ),
        headers=("Link",),
        tag="runs",
    ),
)
def list_run_devices(run_id: str) -> Response:
    state = one_of("state", DeviceState)
    page = engine().fanouts.page(
        run_of(run_id),
        states=() if state is None else (state,),
        cursor=request.args.get("cursor"),
        limit=page_size(),
    )
    reply = wire.json_reply(fanout_page_json(page))
    if page.next_cursor:
        query = request.args.to_dict(flat=False) | {"cursor": [page.next_cursor]}
        reply.headers["Link"] = f'<{request.path}?{urlencode(query, doseq=True)}>; rel="next"'
    return reply


@route(
    blueprint,
    "/api/runs/<run_id>/devices.csv",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "Export the devices that a run works on",
        media=("text/csv",),
        tag="runs",
    ),
)
def export_run_devices(run_id: str) -> Response:
    run = run_of(run_id)
    reply = Response(write_table(_all(engine().fanouts, run)), mimetype="text/csv")
    reply.headers["Content-Disposition"] = 'attachment; filename="devices.csv"'
    return reply


def _all(fanouts: Fanouts, run: Run) -> Iterator[FanoutDevice]:
    """Read while it is sent, outside the request's context."""
    cursor = None
    while True:
        page = fanouts.page(run, cursor=cursor, limit=_AT_ONCE)
        yield from page.devices
        if (cursor := page.next_cursor) is None:
            return


@route(
    blueprint,
    "/api/runs/<run_id>/pause",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.RUN_CANCEL,
        Limit.NORMAL,
        "Pause the fan-out of a run: start no more devices",
        description="What is running goes on. The run's timeout goes on, too.",
        schema="Run",
        conflicts=True,
        tag="runs",
    ),
)
def pause_run(run_id: str) -> Response:
    return _pause(run_id, paused=True)


@route(
    blueprint,
    "/api/runs/<run_id>/continue",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.RUN_CANCEL,
        Limit.NORMAL,
        "Continue a paused fan-out of a run",
        schema="Run",
        conflicts=True,
        tag="runs",
    ),
)
def continue_run(run_id: str) -> Response:
    return _pause(run_id, paused=False)


def _pause(run_id: str, *, paused: bool) -> Response:
    run = run_of(run_id)
    engine().fanouts.pause(run, principal(), paused=paused)
    return wire.json_reply(run_json(run))


@route(
    blueprint,
    "/api/runs/<run_id>/fanouts",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.RUNBOOK_EXECUTE,
        Limit.NORMAL,
        "Plan a fan-out: for the script of the run, which uses `runbook fanout`",
        body=FanoutBody,
        schema="Fanout",
        tag="runs",
    ),
)
def plan_fanout(run_id: str) -> Response:
    body = read_body(FanoutBody)
    plan = FanoutPlan(
        body.runbook,
        body.devices,
        body.input,
        body.parallel,
        body.max_failures,
        body.canary,
        WhenBusy(body.on_busy),
        body.session,
    )
    return wire.json_reply(fanout_json(engine().fanouts.plan(run_of(run_id), principal(), plan)))


@route(
    blueprint,
    "/api/runs/<run_id>/fanouts/<int:n>/advance",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.RUNBOOK_EXECUTE,
        Limit.NORMAL,
        "Start the next devices of a fan-out, or wait a while for news: for the run's script",
        body=AdvanceBody,
        parameters=(RECURSION,),
        schema="Advanced",
        conflicts=True,
        tag="runs",
    ),
)
def advance_fanout(run_id: str, n: int) -> Response:
    body = read_body(AdvanceBody)
    inputs = ChildInputs(body.env_vars or {}, body.confirm, recursion_stack())
    done = engine().fanouts.advance(run_of(run_id), n, principal(), inputs)
    return wire.json_reply(advanced_json(done))
