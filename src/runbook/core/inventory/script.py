"""What a script reads of its devices, and what it reports of devices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field

from runbook.core.inventory.device import TIMES, Device, Field
from runbook.core.times import iso
from runbook.quick_dataclass import dataclass
from runbook.script.limits import REPORT_BYTES

MOST_REPORTED = 5000
"""How many devices a step can report."""
MAY_MOVE = "may_move"
"""False in a report of what was found: a device of this name that is elsewhere is another one."""


@dataclass(frozen=True, slots=True)
class Reports:
    """What a step said of devices, by name; `problem` says why some of it can't be used."""

    fields: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    problem: str | None = None


def script_json(device: Device) -> dict[str, object]:
    """`stored` is false for a connection of this process that makes a device by itself."""
    fields = {name.value: field_json(device, name) for name in Field}
    return {"name": device.name, "stored": device.created_at > 0, **fields}


def field_json(device: Device, name: Field) -> object:
    value = device.value(name)
    if name in TIMES:
        return iso(value) if isinstance(value, int) else None
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def read_reports(data: bytes) -> Reports:
    """JSON objects with `name`, one per line; later ones add to earlier ones of the same device."""
    found: dict[str, dict[str, object]] = {}
    problem = None
    if len(data) > REPORT_BYTES:
        problem = f"it is longer than {REPORT_BYTES // 1024 // 1024} MiB"
        data = data[:REPORT_BYTES].rpartition(b"\n")[0]
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        said = _object(line)
        name = None if said is None else said.pop("name", None)
        if said is None or not isinstance(name, str):
            problem = problem or f"line {number} is not a JSON object with the name of a device"
        elif name not in found and len(found) >= MOST_REPORTED:
            problem = problem or f"it has more than {MOST_REPORTED} devices"
        else:
            found.setdefault(name, {}).update(said)
    return Reports(found, problem)


def _object(line: bytes) -> dict[str, object] | None:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
