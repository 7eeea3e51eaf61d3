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
        raise _refused("no_devices", "There is no device to work on")
    if len(found) > MOST_DEVICES:
        text = f"At most {MOST_DEVICES} devices can be worked on at once"
        raise _refused("too_many_devices", text, limit=MOST_DEVICES)
    for name in found:
        if _NAME.fullmatch(name) is None:
            raise _refused("bad_device", f"{name[:80]!r} is not a device's name", device=name[:80])
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
    if wanted is not None:
        text = f"{ref} has no input {wanted[:80]} of type device"
        raise _refused("no_device_input", text, runbook=ref, input=wanted[:80])
    if not names:
        raise _refused("no_device_input", f"{ref} has no input of type device", runbook=ref)
    text = f"{ref} has several inputs of type device: {', '.join(names)}. Say which, with --input"
    raise _refused("several_device_inputs", text, runbook=ref)


def _refused(code: str, text: str, **params: str | int) -> RequestError:
    return RequestError(text, problems=(Problem(code, text, params=params),))
