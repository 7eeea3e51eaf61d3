"""Reading what there is: each list is printed as choices for forms, and as a table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import runbook
from proxmox_toolkit import inputs
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.proxmox import Proxmox

BRIDGES = ("bridge", "OVSBridge", "vnet")
GIB = 1024**3


@dataclass(frozen=True)
class Choice:
    """One thing, as a form offers it."""

    value: str
    label: str
    description: str = ""


def offer(choices: Sequence[Choice], title: str) -> None:
    """Print choices as JSON, and show them as a table in the run's summary."""
    print(
        json.dumps(
            [
                {"value": one.value, "label": one.label, "description": one.description}
                for one in choices
            ],
            indent=1,
        )
    )
    rows = [f"| `{one.value}` | {one.label} | {one.description} |" for one in choices]
    runbook.summary("\n".join([f"| {title} | | |", "|---|---|---|", *rows]))
    runbook.output("values", [one.value for one in choices])


def nodes(pve: Proxmox) -> list[Choice]:
    """The nodes that are online."""
    found = sorted(pve.api.nodes.get(), key=lambda node: str(node["node"]))
    return [_node(node) for node in found if node.get("status") == "online"]


def _node(node: dict[str, object]) -> Choice:
    name, about = str(node["node"]), ""
    if "maxmem" in node:
        share = f"{float(str(node.get('cpu', 0))):.0%} of {node.get('maxcpu')} cores"
        about = f"{share}, {_gib(node.get('mem'))} of {_gib(node['maxmem'])} memory"
    return Choice(name, name, about)


def networks(pve: Proxmox) -> list[Choice]:
    """Bridges and virtual networks (SDN) on a node.

    The server is asked for them, but some versions answer with other interfaces too.
    """
    node = inputs.text("NODE")
    found = pve.api.nodes(node).network.get(type="any_bridge")
    names = {str(one["iface"]): _bridge(one) for one in found if one.get("type") in BRIDGES}
    for zone in _zones(pve, node):
        for vnet in _vnets(pve, node, zone):
            names.setdefault(vnet.value, vnet)
    return [names[name] for name in sorted(names)]


def _bridge(one: dict[str, object]) -> Choice:
    name = str(one["iface"])
    about = [str(one.get("comments") or "").strip(), str(one.get("cidr") or "")]
    return Choice(name, f"{name} ({one['type']})", ", ".join(text for text in about if text))


def _zones(pve: Proxmox, node: str) -> list[str]:
    """None if the cluster has no SDN, or we may not see it."""
    try:
        found = pve.api.nodes(node).sdn.zones.get()
    except ConnectorError as error:
        if error.code in (ErrorCode.REFUSED, ErrorCode.NOT_FOUND, ErrorCode.SERVER):
            return []
        raise
    return [str(one["zone"]) for one in found]


def _vnets(pve: Proxmox, node: str, zone: str) -> list[Choice]:
    try:
        found = pve.api.nodes(node).sdn.zones(zone).content.get()
    except ConnectorError as error:
        if error.code in (ErrorCode.REFUSED, ErrorCode.NOT_FOUND, ErrorCode.SERVER):
            return []
        raise
    return [
        Choice(str(one["vnet"]), f"{one['vnet']} (zone {zone})", str(one.get("alias") or ""))
        for one in found
        if one.get("vnet")
    ]


def storages(pve: Proxmox) -> list[Choice]:
    """The storages of a node that take this content, with the space that is left."""
    found = _stores(pve, inputs.text("NODE"), inputs.text("CONTENT"))
    return [
        Choice(
            str(one["storage"]),
            f"{one['storage']} ({one.get('type')})",
            f"{_gib(one['avail'])} free" if one.get("avail") is not None else "",
        )
        for one in found
    ]


def _stores(pve: Proxmox, node: str, content: str) -> list[dict[str, object]]:
    found = pve.api.nodes(node).storage.get(content=content or None, enabled=1)
    usable = [one for one in found if one.get("active", 1) and one.get("enabled", 1)]
    return sorted(usable, key=lambda one: str(one["storage"]))


def templates(pve: Proxmox) -> list[Choice]:
    """Container templates, ISO images or virtual machines to clone, of all storages of a node."""
    node, content = inputs.text("NODE"), inputs.text("CONTENT", "vztmpl")
    if content == "vm":
        return _machine_templates(pve)
    found: dict[str, Choice] = {}
    for store in _stores(pve, node, content):
        for one in pve.api.nodes(node).storage(str(store["storage"])).content.get(content=content):
            volume = str(one["volid"])
            size = f"{int(one.get('size') or 0) / 1024**2:.0f} MiB"
            found[volume] = Choice(volume, volume.rpartition("/")[2], f"{store['storage']}, {size}")
    return [found[volume] for volume in sorted(found)]


def _machine_templates(pve: Proxmox) -> list[Choice]:
    return [
        Choice(str(one["vmid"]), f"{one['vmid']} {one.get('name', '')}", f"on {one['node']}")
        for one in _guests(pve)
        if one.get("template") and one["type"] == "qemu"
    ]


def guests(pve: Proxmox) -> list[Choice]:
    """Virtual machines and containers, of one node or of all."""
    node, kind = inputs.text("NODE"), inputs.text("KIND", "all")
    return [
        Choice(
            str(one["vmid"]),
            f"{one['vmid']} {one.get('name', '')}",
            f"{'container' if one['type'] == 'lxc' else 'virtual machine'}, {one['status']}, "
            f"on {one['node']}",
        )
        for one in _guests(pve)
        if node in ("", one["node"]) and kind in ("all", one["type"]) and not one.get("template")
    ]


def _guests(pve: Proxmox) -> list[dict[str, object]]:
    found = pve.api.cluster.resources.get(type="vm")
    kinds = [one for one in found if one.get("type") in ("qemu", "lxc")]
    return sorted(kinds, key=lambda one: int(str(one["vmid"])))


def _gib(size: object) -> str:
    return f"{float(str(size or 0)) / GIB:.1f} GiB"
