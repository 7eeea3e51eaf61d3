"""Fan-outs of a one-shot run: the socket's side of `calling.SocketTransport`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runbook.core.access import Principal
from runbook.core.fanout.limits import DEFAULT_PARALLEL, WhenBusy
from runbook.engine.engine import Engine
from runbook.engine.fanout.requests import ChildInputs, FanoutPlan
from runbook.errors import NotFoundError, RequestError
from runbook.resources.fanout import advanced_json, fanout_json

Json = Mapping[str, Any]


def fan_out(
    engine: Engine,
    principal: Principal,
    request: Json,
    stack_of: Callable[[object], tuple[str, ...]],
) -> Json:
    """Plan or advance a fan-out of the calling run. Raises RunbookError."""
    run = engine.calling_run(principal)
    if run is None:
        raise NotFoundError("Only the script of a run can fan out for it.")
    if request.get("op") == "plan":
        return fanout_json(engine.fanouts.plan(run, principal, _plan(request.get("plan"))))
    values, confirm, n = (request.get(name) for name in ("env_vars", "confirm", "fanout"))
    if not isinstance(values, dict) or not isinstance(n, int):
        raise RequestError("env_vars must be an object, and fanout a number")
    inputs = ChildInputs(
        values,
        confirm if isinstance(confirm, str) else None,
        stack_of(request.get("recursion_stack")),
    )
    return advanced_json(engine.fanouts.advance(run, n, principal, inputs))


def _plan(given: object) -> FanoutPlan:
    asked = given if isinstance(given, dict) else {}
    devices = asked.get("devices")
    if not isinstance(devices, list) or not all(isinstance(name, str) for name in devices):
        raise RequestError("devices must be a list of names")
    most = asked.get("max_failures")
    try:
        return FanoutPlan(
            str(asked.get("runbook")),
            devices,
            str(asked["input"]) if asked.get("input") else None,
            str(asked.get("parallel", DEFAULT_PARALLEL)),
            None if most is None else str(most),
            int(asked.get("canary", 0)),
            WhenBusy(asked.get("on_busy", WhenBusy.WAIT)),
            str(asked.get("session", "")),
        )
    except (TypeError, ValueError) as error:
        raise RequestError(str(error)) from None
