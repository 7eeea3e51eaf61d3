"""Objects as JSON, in full and in the short form that other objects hold."""

from __future__ import annotations

from ipaddress import ip_interface, ip_network

from runbook.lab.ipam.kinds import Json, Objects, Row
from runbook.lab.ipam.models import BY_PATH, Model

ROOT = "/api"


def full(objects: Objects, model: Model, row: Row) -> Json:
    shown = _head(model, row)
    shown["display_url"] = f"/{model.path}/{row['id']}/"
    shown |= {name: kind.show(row[name], objects) for name, kind in model.fields.items()}
    shown |= _computed(objects, model, row)
    if model.extensible:
        known = objects.custom_fields(model.type)
        shown["custom_fields"] = {name: row["custom_fields"].get(name) for name in known}
    return shown | {"created": row["created"], "last_updated": row["last_updated"]}


def brief(objects: Objects, model: Model, row: Row) -> Json:
    """Only what it shows is worked out: objects refer to each other in circles."""
    return _head(model, row) | {name: _member(objects, model, row, name) for name in model.brief}


def _member(objects: Objects, model: Model, row: Row, name: str) -> Json:
    match name:
        case "family":
            return _family(ip_interface(row[model.name]).version)
        case "_depth":
            return _of_prefix(objects, row)[name]
    return model.fields[name].show(row[name], objects)


def display(model: Model, row: Row) -> str:
    text = str(row[model.name] or "")
    if model.path == "ipam/vlans":
        return f"{text} ({row['vid']})"
    if model.path == "ipam/vrfs" and row["rd"]:
        return f"{text} ({row['rd']})"
    if model.path == "extras/custom-fields":
        return str(row["label"] or text.replace("_", " ").capitalize())
    return text


def _head(model: Model, row: Row) -> Json:
    return {
        "id": row["id"],
        "url": f"{ROOT}/{model.path}/{row['id']}/",
        "display": display(model, row),
    }


def _family(version: int) -> Json:
    return {"value": version, "label": f"IPv{version}"}


def _computed(objects: Objects, model: Model, row: Row) -> dict[str, Json]:
    if model.path == "ipam/prefixes":
        return _of_prefix(objects, row)
    if model.path == "ipam/ip-addresses":
        return {
            "family": _family(ip_interface(row["address"]).version),
            "tenant": None,
            "assigned_object": _generic(
                objects, row["assigned_object_type"], row["assigned_object_id"]
            ),
            "nat_inside": None,
            "nat_outside": [],
        }
    if "primary_ip4" in model.fields:
        number = row["primary_ip4"] or row["primary_ip6"]
        primary = objects.brief("ipam/ip-addresses", number) if number else None
        return {"primary_ip": primary, "tenant": None}
    return {}


def _of_prefix(objects: Objects, row: Row) -> dict[str, Json]:
    network = ip_network(row["prefix"])
    depth = children = 0
    for other in objects.rows("ipam/prefixes"):
        compared = ip_network(other["prefix"])
        if other["id"] == row["id"] or other["vrf"] != row["vrf"]:
            continue
        if compared.version != network.version or compared == network:
            continue
        depth += _within(network, compared)
        children += _within(compared, network)
    return {
        "family": _family(network.version),
        "scope": _generic(objects, row["scope_type"], row["scope_id"]),
        "tenant": None,
        "role": None,
        "children": children,
        "_depth": depth,
    }


def _within(inner: object, outer: object) -> bool:
    return bool(inner.subnet_of(outer))  # type: ignore[attr-defined]


def _generic(objects: Objects, type_: str | None, number: int | None) -> Json:
    path = objects.path_of(type_ or "")
    if path is None or number is None:
        return None
    return brief(objects, BY_PATH[path], objects.get(path, number))
