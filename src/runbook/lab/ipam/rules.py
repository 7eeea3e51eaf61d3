"""Rules over several objects: unique addresses, assignments, and which addresses are free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from itertools import islice

from runbook.lab.ipam.kinds import InvalidError, Objects, Row, UnknownObjectError
from runbook.lab.ipam.models import Model

IpAddress = IPv4Address | IPv6Address
OWNERS = {"dcim.interface": "device", "virtualization.vminterface": "virtual_machine"}
OWNER_PATHS = {"device": "dcim/devices", "virtual_machine": "virtualization/virtual-machines"}


def check(objects: Objects, model: Model, row: Row) -> None:
    """Raises InvalidError."""
    if rule := _RULES.get(model.path):
        rule(objects, row)


def free_addresses(objects: Objects, prefix: Row) -> Iterator[str]:
    """The free addresses of a prefix, with its mask. The caller holds the objects' lock."""
    network = ip_network(prefix["prefix"])
    taken = {int(ip_interface(row["address"]).ip) for row in addresses_in(objects, prefix)}
    first, last = int(network.network_address), int(network.broadcast_address)
    bits = network.max_prefixlen - network.prefixlen
    if bits > 1 and not prefix["is_pool"]:
        first += 1
        last -= network.version == 4
    make = type(network.network_address)
    return (
        f"{make(number)}/{network.prefixlen}"
        for number in range(first, last + 1)
        if number not in taken
    )


def first_free(objects: Objects, prefix: Row, count: int) -> list[str]:
    return list(islice(free_addresses(objects, prefix), count))


def addresses_in(objects: Objects, prefix: Row) -> list[Row]:
    """The addresses within a prefix and its VRF; of a global container, those of all VRFs."""
    network = ip_network(prefix["prefix"])
    everywhere = prefix["vrf"] is None and prefix["status"] == "container"
    return [
        row
        for row in objects.rows("ipam/ip-addresses")
        if (everywhere or row["vrf"] == prefix["vrf"])
        and ip_interface(row["address"]).version == network.version
        and ip_interface(row["address"]).ip in network
    ]


def _check_address(objects: Objects, row: Row) -> None:
    own = ip_interface(row["address"])
    where = _unique_within(objects, row)
    for other in objects.rows("ipam/ip-addresses") if where else ():
        same = other["vrf"] == row["vrf"] and ip_interface(other["address"]).ip == own.ip
        shared = row["role"] in _SHARED and other["role"] in _SHARED
        if same and other["id"] != row["id"] and not shared:
            text = f"Duplicate IP address found in {where}: {other['address']}"
            raise InvalidError({"address": [text]})
    _check_primary_stays(objects, row)
    if row["assigned_object_id"] is not None:
        _check_assignment(objects, row)


_SHARED = {"anycast", "vip", "vrrp", "hsrp", "glbp", "carp"}


def _check_primary_stays(objects: Objects, row: Row) -> None:
    """A primary address can't be assigned elsewhere."""
    try:
        before = objects.get("ipam/ip-addresses", row["id"])
    except UnknownObjectError:
        return
    owner = _owner_of(objects, before)
    if owner is None or owner == _owner_of(objects, row):
        return
    machine = objects.get(OWNER_PATHS[owner[0]], owner[1])
    if row["id"] in (machine["primary_ip4"], machine["primary_ip6"]):
        text = (
            "Cannot reassign IP address while it is designated as the primary IP for the parent "
            "object"
        )
        raise InvalidError({"__all__": [text]})


def _unique_within(objects: Objects, row: Row) -> str | None:
    if row["vrf"] is None:
        return "global table"
    vrf = objects.get("ipam/vrfs", row["vrf"])
    shown = f"{vrf['name']} ({vrf['rd']})" if vrf["rd"] else vrf["name"]
    return f"VRF {shown}" if vrf["enforce_unique"] else None


def _check_assignment(objects: Objects, row: Row) -> None:
    path = objects.path_of(row["assigned_object_type"] or "")
    if path is None:
        raise InvalidError({"assigned_object_type": ["This field is required."]})
    try:
        objects.get(path, row["assigned_object_id"])
    except UnknownObjectError:
        raise InvalidError(
            {"assigned_object_id": [f"Invalid object ID: {row['assigned_object_id']}"]}
        ) from None
    own = ip_interface(row["address"])
    if own.network.prefixlen < own.max_prefixlen - 1:
        if own.ip == own.network.network_address:
            text = f"{own.ip} is a network ID, which may not be assigned to an interface."
            raise InvalidError({"__all__": [text]})
        if own.version == 4 and own.ip == own.network.broadcast_address:
            text = f"{own.ip} is a broadcast address, which may not be assigned to an interface."
            raise InvalidError({"__all__": [text]})


def _check_prefix(objects: Objects, row: Row) -> None:
    where = _unique_within(objects, row)
    for other in objects.rows("ipam/prefixes") if where else ():
        same = other["vrf"] == row["vrf"] and other["prefix"] == row["prefix"]
        if same and other["id"] != row["id"]:
            raise InvalidError({"prefix": [f"Duplicate prefix found in {where}: {row['prefix']}"]})


def _check_primary(owner: str, objects: Objects, row: Row) -> None:
    for name in ("primary_ip4", "primary_ip6"):
        if row[name] is None:
            continue
        address = objects.get("ipam/ip-addresses", row[name])
        if _owner_of(objects, address) != (owner, row["id"]):
            kind = "device" if owner == "device" else "VM"
            text = (
                f"The specified IP address ({address['address']}) is not assigned to this {kind}."
            )
            raise InvalidError({name: [text]})


def _owner_of(objects: Objects, address: Row) -> tuple[str, int] | None:
    path = objects.path_of(address["assigned_object_type"] or "")
    if path is None:
        return None
    owner = OWNERS[address["assigned_object_type"]]
    return owner, objects.get(path, address["assigned_object_id"])[owner]


def _check_device(objects: Objects, row: Row) -> None:
    _check_primary("device", objects, row)


def _check_machine(objects: Objects, row: Row) -> None:
    if row["cluster"] is None and row["site"] is None:
        text = "A virtual machine must be assigned to a site, cluster, or device."
        raise InvalidError({"__all__": [text]})
    _check_primary("virtual_machine", objects, row)


_RULES: dict[str, Callable[[Objects, Row], None]] = {
    "dcim/devices": _check_device,
    "ipam/ip-addresses": _check_address,
    "ipam/prefixes": _check_prefix,
    "virtualization/virtual-machines": _check_machine,
}
