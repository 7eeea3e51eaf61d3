"""Devices as a principal sees and changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from runbook.core.inventory.device import (
    ALL_DEVICES,
    Device,
    DeviceFilter,
    DeviceSort,
    Field,
)
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SeenDevice:
    """A device as a principal sees it.

    `kind` is that of its connection. Both are None if the principal may not see the connection.
    """

    device: Device
    kind: str | None
    usable: bool


@dataclass(frozen=True, slots=True)
class SeenPage:
    devices: Sequence[SeenDevice]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceRunbook:
    """A runbook that can be executed for a device, with the input that takes it."""

    ref: str
    name: str
    description: str
    input: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list. `kind` and `usable` are about the devices' connections."""

    filter: DeviceFilter = ALL_DEVICES
    kind: str | None = None
    usable: bool = False
    sort: DeviceSort = DeviceSort.NAME


@dataclass(frozen=True, slots=True)
class NewFields:
    """What to set of one device, unchecked. `place` says where it stands, for problems."""

    name: str
    fields: Mapping[str, object]
    place: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangedDevice:
    """A device that an import changes, in these fields, as the importer sees it."""

    before: Device
    after: Device
    fields: Sequence[Field]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import added, by name, and changed; `same` counts the others."""

    added: Sequence[str]
    changed: Sequence[ChangedDevice]
    same: int
    dry_run: bool = False
