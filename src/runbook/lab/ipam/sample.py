"""The lab's network: a site with two networks, an IPv6 prefix, VLANs and a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook.lab.ipam.database import Database
from runbook.lab.ipam.models import BY_PATH

Given = Mapping[str, Any]


def fill(database: Database) -> None:
    def add(path: str, **given: Any) -> int:
        return int(database.create(BY_PATH[path], given)["id"])

    add("extras/custom-fields", name="gateway", type="text", object_types=["ipam.prefix"])
    site = add("dcim/sites", name="Lab", slug="lab")
    servers = add("ipam/vlans", vid=20, name="servers", site=site)
    storage = add("ipam/vlans", vid=30, name="storage", site=site)
    scope: Given = {"scope_type": "dcim.site", "scope_id": site}
    add("ipam/prefixes", prefix="10.10.0.0/16", status="container", **scope)
    add("ipam/prefixes", prefix="10.10.20.0/24", vlan=servers, description="Servers", **scope)
    add(
        "ipam/prefixes",
        prefix="10.10.30.0/24",
        vlan=storage,
        description="Storage",
        custom_fields={"gateway": "10.10.30.254"},
        **scope,
    )
    add("ipam/prefixes", prefix="2001:db8:20::/64", vlan=servers, description="Servers", **scope)
    proxmox = add("virtualization/cluster-types", name="Proxmox VE", slug="proxmox-ve")
    add("virtualization/clusters", name="lab", type=proxmox)
    maker = add("dcim/manufacturers", name="Generic", slug="generic")
    switch = add("dcim/device-types", manufacturer=maker, model="Switch", slug="switch")
    role = add("dcim/device-roles", name="Switch", slug="switch")
    device = add("dcim/devices", name="lab-sw1", device_type=switch, role=role, site=site)
    uplink = add("dcim/interfaces", device=device, name="vlan20", type="virtual")
    add(
        "ipam/ip-addresses",
        address="10.10.20.2/24",
        assigned_object_type="dcim.interface",
        assigned_object_id=uplink,
        dns_name="lab-sw1.example.com",
    )
