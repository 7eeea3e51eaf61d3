"""Inputs of type device and devices, and the problems if their devices can't be used."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from runbook.core.document import Input, InputType, Problem
from runbook.core.inputs.types import OF_DEVICES
from runbook.core.inventory.selector import MOST_SELECTED, Term


def device_inputs(inputs: Collection[Input]) -> list[Input]:
    return [item for item in inputs if item.type in OF_DEVICES]


def devices_of(inputs: Collection[Input], values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The names of devices in valid values, by input."""
    found: dict[str, tuple[str, ...]] = {}
    for item in device_inputs(inputs):
        text = values.get(item.name, "")
        if text and item.type is InputType.DEVICE:
            found[item.name] = (text,)
        elif text:
            found[item.name] = tuple(json.loads(text))
    return found


def not_found(item: Input, name: str) -> Problem:
    return Problem(
        "device_not_found",
        f"{item.name}: there is no device named {name[:80]}",
        hint="`runbook inventory list` shows the devices, and `runbook inventory add` adds one",
        params={"variable": item.name, "device": name[:80]},
    )


def not_allowed(item: Input, name: str, missing: Collection[str]) -> Problem:
    return Problem(
        "device_not_allowed",
        f"{item.name}: you may not use the device {name}",
        hint=f"Missing or invalid: {', '.join(missing)}",
        params={"variable": item.name, "device": name},
    )


def unfitting(item: Input, name: str, rule: str) -> Problem:
    """A device of the wrong vendor, tag or kind; `rule` continues a sentence about it."""
    return Problem(
        "wrong_device",
        f"{item.name}: the device {name} {rule}",
        hint="Choose another device, or correct it with `runbook inventory set`",
        params={"variable": item.name, "device": name},
    )


def without_connection(item: Input, name: str) -> Problem:
    hint = f"Set one with `runbook inventory set {name} connection=NAME`"
    return Problem(
        "device_without_connection",
        f"{item.name}: the device {name} has no connection, but a {item.kind} one is needed",
        hint=hint,
        params={"variable": item.name, "device": name, "kind": item.kind},
    )


def none_selected(item: Input, terms: Iterable[Term]) -> Problem:
    said = ", ".join(map(str, terms))[:200]
    return Problem(
        "no_devices",
        f"{item.name}: {said} selects no device that you may use",
        hint="`runbook inventory list` shows the devices with their tags, sites and groups",
        params={"variable": item.name, "selection": said},
    )


def too_many(item: Input) -> Problem:
    return Problem(
        "too_many_devices",
        f"{item.name}: the selection has more than {MOST_SELECTED} devices",
        hint="Select fewer, for example by site",
        params={"variable": item.name, "limit": MOST_SELECTED},
    )
