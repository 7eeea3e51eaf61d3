"""Brings a device into NetBox: adds what NetBox lacks, and changes nothing that it has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netbox_toolkit.addresses import Record, is_marked, look_until_settled, marked_text
from netbox_toolkit.snmp import Device, Interface, IpInterface
from runbook.connectors.effects import earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode

if TYPE_CHECKING:
    from pynetbox.core.api import Api


@dataclass(frozen=True)
class Place:
    """Where the device belongs. What doesn't exist is created."""

    site: str
    role: str
    manufacturer: str
    model: str


class Import:
    """Imports one device. Whatever it creates has the mark in its description."""

    def __init__(self, nb: Api, mark: str) -> None:
        self._nb = nb
        self._mark = mark
        self.created: list[str] = []
        self.notices: list[str] = []

    def run(self, device: Device, place: Place, *, primary: str = "") -> Record:
        for change in earlier("import"):
            _settle(self._nb, change)
        site = self._named("dcim.sites", place.site)
        made = self._device(device, place, site)
        for vid, name in sorted(device.vlans.items()):
            self._got(
                "ipam.vlans", f"VLAN {vid}", {"vid": vid, "site_id": site.id},
                vid=vid, name=name or f"VLAN {vid}", site=site.id,
            )  # fmt: skip
        for interface in device.interfaces:
            self._interface(made, interface, primary)
        return made

    def _device(self, device: Device, place: Place, site: Record) -> Record:
        role = self._named("dcim.device_roles", place.role)
        maker = self._named("dcim.manufacturers", place.manufacturer)
        kind = self._got(
            "dcim.device_types",
            place.model,
            {"model": place.model, "manufacturer_id": maker.id},
            model=place.model,
            slug=slug_of(place.model),
            manufacturer=maker.id,
        )
        return self._got(
            "dcim.devices",
            device.name,
            {"name": device.name, "site_id": site.id},
            name=device.name,
            site=site.id,
            role=role.id,
            device_type=kind.id,
            serial=device.serial[:50],
        )

    def _interface(self, device: Record, interface: Interface, primary: str) -> None:
        made = self._got(
            "dcim.interfaces",
            f"{device.name} {interface.name}",
            {"name": interface.name, "device_id": device.id},
            device=device.id,
            name=interface.name[:64],
            label=interface.alias[:64],
            type="other",
            mtu=interface.mtu if 1 <= (interface.mtu or 0) <= 65536 else None,
            enabled=interface.enabled,
        )
        for address in interface.addresses:
            self._address(device, made, address, primary)

    def _address(
        self, device: Record, interface: Record, address: IpInterface, primary: str
    ) -> None:
        known = list(self._nb.ipam.ip_addresses.filter(address=str(address.ip), vrf_id="null"))
        if known:
            owner = getattr(known[0], "assigned_object_id", None)
            if owner != interface.id:
                self.notices.append(f"NetBox already has {address.ip}; it is left as it is")
            return
        made = self._got(
            "ipam.ip_addresses",
            str(address),
            None,
            address=str(address),
            assigned_object_type="dcim.interface",
            assigned_object_id=interface.id,
        )
        if str(address.ip) == primary and is_marked(device, self._mark):
            device.update({f"primary_ip{address.version}": made.id})

    def _named(self, path: str, name: str) -> Record:
        return self._got(path, name, {"slug": slug_of(name)}, name=name, slug=slug_of(name))

    def _got(self, path: str, what: str, by: Mapping[str, Any] | None, /, **given: Any) -> Record:
        """The object, created if it doesn't exist. `by` finds it; None if it surely doesn't."""
        endpoint = _endpoint(self._nb, path)
        # The ID is 0 in a dry run, of what it would create.
        is_planned = by is not None and 0 in by.values()
        found = [] if by is None or is_planned else list(endpoint.filter(**by))
        if found:
            return found[0]
        described = {**given, "description": marked_text("Imported by SNMP", self._mark)}
        probe = {"path": path, "mark": self._mark}
        with effect(f"create {what}", key="import", probe=probe) as change:
            made = endpoint.create(**described)
            change.outcome["id"] = made.id
        self.created.append(what)
        return made


def undo(nb: Api) -> list[str]:
    """Delete what the undone run created; what others use by now stays. Returns notices."""
    notices = []
    for change in earlier("import"):
        try:
            _settle(nb, change)
        except ConnectorError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
            notices.append(f"{change.what} can't be undone: {error}")
    return notices


def _settle(nb: Api, change: Any) -> None:
    """Delete what a change made: the next attempt makes it again."""
    endpoint = _endpoint(nb, str(change.probe["path"]))
    mark = str(change.probe["mark"])
    if number := change.outcome.get("id"):
        found = endpoint.get(number)
        mine = [found] if found is not None and is_marked(found, mark) else []
    else:

        def look() -> list[Record]:
            found = endpoint.filter(description__ic=f"[run {mark}]")
            return [it for it in found if is_marked(it, mark)]

        mine = look_until_settled(nb, change, look)
    for record in mine:
        record.delete()
    (change.undone if mine else change.did_not_happen)()


def _endpoint(nb: Api, path: str) -> Any:
    app, _, name = path.partition(".")
    return getattr(getattr(nb, app), name)


def slug_of(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-")[:100] or "unnamed"
