"""Filters of lists, as query parameters: `status=active`, `name__ic=web`, `site_id=3`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_interface, ip_network
from typing import Any

from runbook.lab.ipam.kinds import (
    Choice,
    InvalidError,
    Objects,
    Reference,
    Row,
    UnknownObjectError,
    Whole,
)
from runbook.lab.ipam.models import Model

Test = Callable[[Row], bool]
PAGING = frozenset({"limit", "offset", "ordering", "brief", "fields", "exclude", "omit", "start"})
LOOKUPS: Mapping[str, Callable[[str, str], bool]] = {
    "": lambda own, asked: own == asked,
    "n": lambda own, asked: own != asked,
    "ie": lambda own, asked: own.lower() == asked.lower(),
    "ic": lambda own, asked: asked.lower() in own.lower(),
    "nic": lambda own, asked: asked.lower() not in own.lower(),
    "isw": lambda own, asked: own.lower().startswith(asked.lower()),
    "iew": lambda own, asked: own.lower().endswith(asked.lower()),
}


def filtered(objects: Objects, model: Model, query: Mapping[str, Sequence[str]]) -> list[Row]:
    """The objects that match all filters. Raises InvalidError. NetBox ignores unknown filters."""
    tests = [
        test
        for name, values in query.items()
        if name not in PAGING and (test := _test(objects, model, name, values)) is not None
    ]
    found = [row for row in objects.rows(model.path) if all(test(row) for test in tests)]
    return sorted(found, key=lambda row: _order(objects, model, row))


def _order(objects: Objects, model: Model, row: Row) -> tuple[Any, ...]:
    """NetBox's own order of a list. Null comes last, except for prefixes without a VRF."""
    match model.path:
        case "ipam/prefixes":
            network = ip_network(row["prefix"])
            vrf = row["vrf"] or 0
            place = (int(network.network_address), network.prefixlen)
            return (vrf, network.version, *place, row["id"])
        case "ipam/ip-addresses":
            own = ip_interface(row["address"])
            return (own.version, int(own.ip), row["id"])
        case "ipam/vlans":
            site = objects.get("dcim/sites", row["site"])["name"] if row["site"] else ""
            return (not site, site, row["vid"], row["id"])
    owner = row.get("device") or row.get("virtual_machine") or 0
    return (owner, *_natural(str(row.get(model.name) or "")), row["id"])


def _natural(name: str) -> tuple[str, ...]:
    """Numbers within names by their size."""
    return (re.sub(r"\d+", lambda found: found[0].zfill(8), name.lower()),)


def _test(objects: Objects, model: Model, name: str, values: Sequence[str]) -> Test | None:
    if name == "q":
        words = [word.lower() for word in values]
        return lambda row: any(
            word in str(row.get(it) or "").lower() for it in model.search for word in words
        )
    if name == "id":
        numbers = _numbers(name, values)
        return lambda row: row["id"] in numbers
    if name.startswith("cf_"):
        field = name.removeprefix("cf_")
        return lambda row: str(row["custom_fields"].get(field) or "") in values
    if special := _special(objects, model, name, values):
        return special
    return _plain(objects, model, name, values)


def _plain(objects: Objects, model: Model, name: str, values: Sequence[str]) -> Test | None:
    plain, _, lookup = name.partition("__")
    if plain.endswith("_id") and isinstance(model.fields.get(plain[:-3]), Reference):
        return _by_reference(objects, model, plain[:-3], plain, values)
    kind = model.fields.get(plain)
    if isinstance(kind, Reference):
        return _by_key(objects, kind, plain, values)
    if isinstance(kind, Choice):
        return _by_choice(kind, plain, values)
    if isinstance(kind, Whole):
        numbers = _numbers(plain, values)
        return lambda row: row[plain] in numbers
    if kind is not None and lookup in LOOKUPS:
        compare = LOOKUPS[lookup]
        return lambda row: any(compare(str(row[plain] or ""), value) for value in values)
    return None


def _by_choice(kind: Choice, name: str, values: Sequence[str]) -> Test:
    for value in values:
        if value not in kind.labels:
            text = f"Select a valid choice. {value} is not one of the available choices."
            raise InvalidError({name: [text]})
    return lambda row: row[name] in values


def _by_reference(
    objects: Objects, model: Model, name: str, asked: str, values: Sequence[str]
) -> Test:
    kind = model.fields[name]
    numbers = {int(value) for value in values if value.isdecimal()} | {
        None for value in values if value == "null"
    }
    for value in values:
        if value != "null":
            _known(objects, getattr(kind, "path", ""), asked, value)
    return lambda row: row[name] in numbers


def _known(objects: Objects, path: str, asked: str, value: str) -> None:
    try:
        objects.get(path, int(value))
    except (ValueError, UnknownObjectError):
        text = f"Select a valid choice. {value} is not one of the available choices."
        raise InvalidError({asked: [text]}) from None


def _by_key(objects: Objects, kind: Reference, name: str, values: Sequence[str]) -> Test:
    """By slug, or by name where there is none; VRFs by route distinguisher."""
    rows = objects.rows(kind.path)
    key = "rd" if kind.path == "ipam/vrfs" else "slug" if rows and "slug" in rows[0] else "name"
    numbers = {row["id"] for row in rows if str(row[key]) in values}
    if kind.path != "ipam/vrfs" and not numbers and key == "slug":
        text = f"Select a valid choice. {values[-1]} is not one of the available choices."
        raise InvalidError({name: [text]})
    return lambda row: row[name] in numbers


def _numbers(name: str, values: Sequence[str]) -> set[int]:
    try:
        return {int(value) for value in values}
    except ValueError:
        raise InvalidError({name: ["Enter a whole number."]}) from None


def _special(objects: Objects, model: Model, name: str, values: Sequence[str]) -> Test | None:
    if model.path == "ipam/prefixes":
        return _of_prefixes(objects, name, values)
    if model.path == "ipam/ip-addresses":
        return _of_addresses(objects, name, values)
    return None


def _of_prefixes(objects: Objects, name: str, values: Sequence[str]) -> Test | None:
    value = values[-1]
    if name == "family":
        return lambda row: str(ip_network(row["prefix"]).version) == value
    if name in ("within", "within_include", "contains", "prefix"):
        compare = _NETWORKS[name]
        asked = [ip_network(value, strict=False) for value in values]
        return lambda row: any(compare(ip_network(row["prefix"]), it) for it in asked)
    if name in ("site", "site_id"):
        column = "slug" if name == "site" else "id"
        sites = {row["id"] for row in objects.rows("dcim/sites") if str(row[column]) in values}
        return lambda row: row["scope_type"] == "dcim.site" and row["scope_id"] in sites
    return None


def _inside(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and bool(inner.subnet_of(outer))


_NETWORKS: Mapping[str, Callable[[Any, Any], bool]] = {
    "within": lambda own, asked: own != asked and _inside(own, asked),
    "within_include": _inside,
    "contains": lambda own, asked: _inside(asked, own),
    "prefix": lambda own, asked: bool(own == asked),
}


def _of_addresses(objects: Objects, name: str, values: Sequence[str]) -> Test | None:
    if name == "family":
        return lambda row: str(ip_interface(row["address"]).version) == values[-1]
    if name == "parent":
        networks = [ip_network(value, strict=False) for value in values]
        return lambda row: any(_contains(network, row["address"]) for network in networks)
    if name == "address":
        return lambda row: any(_is_address(row["address"], value) for value in values)
    if name in _OWNERS:
        type_, path, owner = _OWNERS[name]
        numbers = _numbers(name, values)
        interfaces = {it["id"] for it in objects.rows(path) if it[owner] in numbers}
        return lambda row: (
            row["assigned_object_type"] == type_ and row["assigned_object_id"] in interfaces
        )
    return None


_OWNERS = {
    "device_id": ("dcim.interface", "dcim/interfaces", "device"),
    "virtual_machine_id": (
        "virtualization.vminterface",
        "virtualization/interfaces",
        "virtual_machine",
    ),
    "interface_id": ("dcim.interface", "dcim/interfaces", "id"),
    "vminterface_id": ("virtualization.vminterface", "virtualization/interfaces", "id"),
}


def _contains(network: Any, address: str) -> bool:
    own = ip_interface(address)
    return own.version == network.version and own.ip in network


def _is_address(own: str, asked: str) -> bool:
    try:
        wanted = ip_interface(asked)
    except ValueError:
        return False
    return ip_interface(own) == wanted if "/" in asked else ip_interface(own).ip == wanted.ip
