"""Devices of the inventory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from typing_extensions import TypedDict

from runbook.core.inventory.device import Counted, DeviceCounts
from runbook.core.inventory.script import field_json
from runbook.core.inventory.views import (
    ChangedDevice,
    DeviceRunbook,
    Imported,
    SeenDevice,
    SeenPage,
)
from runbook.core.times import iso
from runbook.resources.forms import Doc, optional_iso


class DeviceItemJson(TypedDict):
    """A device, without its facts."""

    name: str
    connection: Annotated[
        str | None, Doc("The connection whose credentials it takes; null if you may not see it")
    ]
    kind: Annotated[str | None, Doc("The kind of the connection")]
    usable: Annotated[bool, Doc("Whether you may use it in runs")]
    address: Annotated[str, Doc("Host name or IP address")]
    vendor: str
    model: str
    version: str
    site: str
    role: str
    tags: list[str]
    groups: list[str]
    last_seen: Annotated[str | None, Doc("When a run last reached it")]
    last_backup: str | None
    last_poll: str | None
    last_proof: Annotated[str | None, Doc("When a backup was last restored and compared")]
    last_damage: Annotated[
        str | None, Doc("When the latest backup was found damaged or missing; null if it was not")
    ]
    revision: Annotated[
        int, Doc("Counts changes, but not polls; send it to change only what you have read")
    ]
    created_at: str
    updated_at: str
    updated_by: str
    updated_run: Annotated[str | None, Doc("The run that changed it last, if it was a run")]


class DeviceJson(DeviceItemJson):
    """A device."""

    facts: Annotated[dict[str, Any], Doc("What runbooks found out about it")]


class DevicePageJson(TypedDict):
    devices: list[DeviceItemJson]
    next_cursor: str | None


class DeviceExportJson(TypedDict):
    devices: list[DeviceJson]


class DeviceRunbookJson(TypedDict):
    """A runbook that you can execute for a device."""

    runbook: str
    name: str
    description: str
    input: Annotated[str, Doc("The input that takes the device")]


class DeviceRunbookListJson(TypedDict):
    runbooks: list[DeviceRunbookJson]


class CountedJson(TypedDict):
    value: str
    devices: int


class DeviceFiltersJson(TypedDict):
    """What devices can be filtered by: the most frequent values, and how many devices have them."""

    devices: Annotated[int, Doc("Number of all devices")]
    tags: list[CountedJson]
    groups: list[CountedJson]
    sites: list[CountedJson]
    vendors: list[CountedJson]
    connections: list[CountedJson]


class ChangedDeviceJson(TypedDict):
    """A device that an import changes; `before` and `after` have the values of these fields."""

    name: str
    fields: list[str]
    before: dict[str, Any]
    after: dict[str, Any]


class ImportedDevicesJson(TypedDict):
    """What an import added and changed, or would with `dry_run`."""

    dry_run: bool
    added: list[str]
    changed: list[ChangedDeviceJson]
    same: Annotated[int, Doc("Number of devices that were already as in the table")]


def device_item_json(seen: SeenDevice) -> DeviceItemJson:
    one = seen.device
    return {
        "name": one.name,
        "connection": one.connection,
        "kind": seen.kind,
        "usable": seen.usable,
        "address": one.address,
        "vendor": one.vendor,
        "model": one.model,
        "version": one.version,
        "site": one.site,
        "role": one.role,
        "tags": list(one.tags),
        "groups": list(one.groups),
        "last_seen": optional_iso(one.last_seen),
        "last_backup": optional_iso(one.last_backup),
        "last_poll": optional_iso(one.last_poll),
        "last_proof": optional_iso(one.last_proof),
        "last_damage": optional_iso(one.last_damage),
        "revision": one.revision,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "updated_by": one.updated_by,
        "updated_run": one.updated_run,
    }


def device_json(seen: SeenDevice) -> DeviceJson:
    return {**device_item_json(seen), "facts": dict(seen.device.facts)}


def device_page_json(page: SeenPage) -> DevicePageJson:
    devices = [device_item_json(seen) for seen in page.devices]
    return {"devices": devices, "next_cursor": page.next_cursor}


def device_runbooks_json(found: Iterable[DeviceRunbook]) -> DeviceRunbookListJson:
    return {
        "runbooks": [
            {
                "runbook": one.ref,
                "name": one.name,
                "description": one.description,
                "input": one.input,
            }
            for one in found
        ]
    }


def device_filters_json(found: DeviceCounts) -> DeviceFiltersJson:
    return {
        "devices": found.devices,
        "tags": _counted_json(found.tags),
        "groups": _counted_json(found.groups),
        "sites": _counted_json(found.sites),
        "vendors": _counted_json(found.vendors),
        "connections": _counted_json(found.connections),
    }


def _counted_json(counted: Iterable[Counted]) -> list[CountedJson]:
    return [{"value": one.value, "devices": one.devices} for one in counted]


def imported_json(done: Imported) -> ImportedDevicesJson:
    return {
        "dry_run": done.dry_run,
        "added": list(done.added),
        "changed": [_changed_json(one) for one in done.changed],
        "same": done.same,
    }


def _changed_json(one: ChangedDevice) -> ChangedDeviceJson:
    return {
        "name": one.after.name,
        "fields": [field.value for field in one.fields],
        "before": {field.value: field_json(one.before, field) for field in one.fields},
        "after": {field.value: field_json(one.after, field) for field in one.fields},
    }
