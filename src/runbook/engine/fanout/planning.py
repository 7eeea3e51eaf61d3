"""Checks what a script asks of a fan-out, before anything is recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from runbook.core.document import Input, InputType, Problem
from runbook.core.fanout.limits import MOST_DEVICES, Limits
from runbook.core.inventory.names import DEVICE_NAME
from runbook.engine.fanout.requests import FanoutPlan
from runbook.errors import RequestError

_NAME = re.compile(DEVICE_NAME)


def checked_devices(devices: Sequence[str]) -> list[str]:
    """Each once, in order. Raises RequestError."""
    found = list(dict.fromkeys(devices))
    if not found:
        raise _refused(Problem("no_devices", "There is no device to work on"))
    if len(found) > MOST_DEVICES:
        text = f"One fan-out can work on {MOST_DEVICES} devices at most"
        raise _refused(Problem("too_many_devices", text, params={"limit": MOST_DEVICES}))
    for name in found:
        if _NAME.fullmatch(name) is None:
            text = f"{name[:80]!r} is not a device's name"
            raise _refused(Problem("bad_device_name", text, params={"device": name[:80]}))
    return found


def checked_limits(plan: FanoutPlan, total: int) -> Limits:
    """Raises RequestError."""
    try:
        return Limits.read(total, plan.parallel, plan.max_failures, plan.canary)
    except ValueError as error:
        raise RequestError(str(error)) from None


def device_input(inputs: Sequence[Input], wanted: str | None, ref: str) -> str:
    """The input that gets the device. Raises RequestError."""
    names = [item.name for item in inputs if item.type is InputType.DEVICE]
    if wanted is not None and wanted in names:
        return wanted
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is not None or not names:
        named = f" {wanted[:80]}" if wanted else ""
        text = f"{ref} has no input{named} of type device"
        raise _refused(Problem("no_device_input", text, params={"runbook": ref}))
    text = f"{ref} has several inputs of type device: {', '.join(names)}"
    hint = "Say which one gets the device, with --input"
    raise _refused(Problem("several_device_inputs", text, hint=hint, params={"runbook": ref}))


def _refused(problem: Problem) -> RequestError:
    return RequestError(problem.message, problems=(problem,))
