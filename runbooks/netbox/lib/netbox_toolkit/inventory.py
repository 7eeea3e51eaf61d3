"""NetBox's devices as those of the engine's inventory."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

LONGEST_NAME = 63
_UNFIT = re.compile(r"[^a-z0-9._-]+")


def name_of(name: str | None) -> str:
    """The name in the inventory; empty if there is none."""
    return _UNFIT.sub("-", (name or "").lower()).lstrip("-._")[:LONGEST_NAME]


def fields_of(device: Any) -> dict[str, Any]:
    """What the inventory takes of a device.

    Without an address in NetBox, it keeps its own: otherwise it would be reached at its
    connection's, where another device may be.
    """
    kind = device.device_type
    address = str(device.primary_ip or "").partition("/")[0]
    # NetBox 3 calls it differently.
    role = getattr(device, "role", None) or getattr(device, "device_role", None)
    return {
        **({"address": address} if address else {}),
        "vendor": str(kind.manufacturer),
        "model": str(kind.model),
        "site": _slug(device.site),
        "role": _slug(role),
        "tags": [_slug(tag) for tag in device.tags or ()],
        "facts": {"netbox_id": device.id, "serial": str(device.serial or "")},
    }


def named(devices: Iterable[Any], *, connection: str = "") -> dict[str, dict[str, Any]]:
    """The fields of each device by name; says which have no name, or another's."""
    found: dict[str, dict[str, Any]] = {}
    for device in devices:
        name = name_of(device.name)
        if not name:
            print(f"Device {device.id} has no name, and is left out", file=sys.stderr)
        elif name in found:
            text = f"Device {device.id} would be named {name} like another, and is left out"
            print(text, file=sys.stderr)
        else:
            found[name] = fields_of(device) | ({"connection": connection} if connection else {})
    return found


def _slug(record: Any) -> str:
    return "" if record is None else str(getattr(record, "slug", "") or record)
