"""Which runbooks there are for a device."""

from __future__ import annotations

from collections.abc import Iterable

from runbook.core.document import Input, InputType
from runbook.core.inventory.views import DeviceRunbook, SeenDevice
from runbook.engine.inventory.book import unfit
from runbook.engine.requests import Listed


def runbooks_for(seen: SeenDevice, listed: Iterable[Listed]) -> list[DeviceRunbook]:
    """Those of the list that can be executed, and have an input that takes the device."""
    if not seen.usable:
        return []
    found = []
    for item in listed:
        document = item.entry.document
        taking = next((one for one in document.inputs if _takes(one, seen)), None)
        if taking is not None and not document.errors and item.decision.allowed:
            about = item.entry.summary.description
            found.append(DeviceRunbook(item.entry.ref, document.name, about, taking.name))
    return found


def _takes(item: Input, seen: SeenDevice) -> bool:
    if item.type is not InputType.DEVICE or unfit(item, seen.device) is not None:
        return False
    return item.kind in (None, seen.kind)
