"""The objects that the endpoint knows: their fields, short forms and rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.lab.ipam.kinds import (
    Address,
    Choice,
    Flag,
    Items,
    Kind,
    Network,
    Reference,
    Slug,
    Text,
    Type,
    Whole,
)

NAME = Text(100, blank=False)
LONG = Text(0)
NOTHING: frozenset[str] = frozenset()
PREFIX_STATUS = {
    "container": "Container",
    "active": "Active",
    "reserved": "Reserved",
    "deprecated": "Deprecated",
}
ADDRESS_STATUS = {
    "active": "Active",
    "reserved": "Reserved",
    "deprecated": "Deprecated",
    "dhcp": "DHCP",
    "slaac": "SLAAC",
}
ADDRESS_ROLE = {
    "loopback": "Loopback",
    "secondary": "Secondary",
    "anycast": "Anycast",
    "vip": "VIP",
    "vrrp": "VRRP",
    "hsrp": "HSRP",
    "glbp": "GLBP",
    "carp": "CARP",
}
VLAN_STATUS = {"active": "Active", "reserved": "Reserved", "deprecated": "Deprecated"}
MACHINE_STATUS = {
    "offline": "Offline",
    "active": "Active",
    "planned": "Planned",
    "staged": "Staged",
    "failed": "Failed",
    "decommissioning": "Decommissioning",
}
DEVICE_STATUS = {**MACHINE_STATUS, "inventory": "Inventory"}
CLUSTER_STATUS = {
    "planned": "Planned",
    "staging": "Staging",
    "active": "Active",
    "decommissioning": "Decommissioning",
    "offline": "Offline",
}
SITE_STATUS = {
    "planned": "Planned",
    "staging": "Staging",
    "active": "Active",
    "decommissioning": "Decommissioning",
    "retired": "Retired",
}
INTERFACE_TYPE = {
    "virtual": "Virtual",
    "bridge": "Bridge",
    "lag": "Link Aggregation Group (LAG)",
    "1000base-t": "1000BASE-T (1GE)",
    "10gbase-t": "10GBASE-T (10GE)",
    "other": "Other",
}
FIELD_TYPE = {
    "text": "Text",
    "longtext": "Text (long)",
    "integer": "Integer",
    "boolean": "Boolean (true/false)",
    "url": "URL",
    "json": "JSON",
    "object": "Object",
}


@dataclass(frozen=True)
class Model:
    """A kind of object.

    `brief` are the fields of its short form, `name` the field that displays it, `unique` the sets
    of fields that no two objects have in common, and `search` the fields that `q` searches.
    """

    path: str
    type: str
    title: str
    fields: Mapping[str, Kind]
    required: frozenset[str] = NOTHING
    name: str = "name"
    brief: tuple[str, ...] = ("name", "slug", "description")
    unique: tuple[tuple[str, ...], ...] = ()
    search: tuple[str, ...] = ("name", "description")
    extensible: bool = True
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_custom_fields(self) -> bool:
        return self.extensible


COMMON: Mapping[str, Kind] = {"description": Text(200), "comments": LONG, "tags": Items()}
SHORT: Mapping[str, Kind] = {"description": Text(200), "tags": Items()}
SLUGGED = (("name",), ("slug",))

MODELS = (
    Model(
        path="dcim/sites",
        type="dcim.site",
        title="Site",
        fields={
            "name": NAME,
            "slug": Slug(),
            "status": Choice(SITE_STATUS, default="active"),
            **COMMON,
        },
        required=frozenset({"name", "slug"}),
        unique=SLUGGED,
    ),
    Model(
        path="dcim/manufacturers",
        type="dcim.manufacturer",
        title="Manufacturer",
        fields={"name": NAME, "slug": Slug(), **COMMON},
        required=frozenset({"name", "slug"}),
        unique=SLUGGED,
    ),
    Model(
        path="dcim/device-types",
        type="dcim.devicetype",
        title="DeviceType",
        fields={
            "manufacturer": Reference("dcim/manufacturers", nullable=False),
            "model": NAME,
            "slug": Slug(),
            **COMMON,
        },
        required=frozenset({"manufacturer", "model", "slug"}),
        name="model",
        brief=("manufacturer", "model", "slug", "description"),
        unique=(("manufacturer", "model"), ("manufacturer", "slug")),
        search=("model", "description"),
    ),
    Model(
        path="dcim/device-roles",
        type="dcim.devicerole",
        title="DeviceRole",
        fields={"name": NAME, "slug": Slug(), "color": Text(6, default="9e9e9e"), **COMMON},
        required=frozenset({"name", "slug"}),
        unique=SLUGGED,
    ),
    Model(
        path="dcim/devices",
        type="dcim.device",
        title="Device",
        fields={
            "name": Text(64, nullable=True, default=None),
            "device_type": Reference("dcim/device-types", nullable=False),
            "role": Reference("dcim/device-roles", nullable=False),
            "site": Reference("dcim/sites", nullable=False),
            "serial": Text(50),
            "status": Choice(DEVICE_STATUS, default="active"),
            "primary_ip4": Reference("ipam/ip-addresses"),
            "primary_ip6": Reference("ipam/ip-addresses"),
            **COMMON,
        },
        required=frozenset({"device_type", "role", "site"}),
        brief=("name", "description"),
        unique=(("name", "site"),),
        search=("name", "serial", "description"),
    ),
    Model(
        path="dcim/interfaces",
        type="dcim.interface",
        title="Interface",
        fields={
            "device": Reference("dcim/devices", nullable=False),
            "name": Text(64, blank=False),
            "label": Text(64),
            "type": Choice(INTERFACE_TYPE),
            "enabled": Flag(default=True),
            "mtu": Whole(1, 65536),
            "vrf": Reference("ipam/vrfs"),
            **SHORT,
        },
        required=frozenset({"device", "name", "type"}),
        brief=("device", "name", "description"),
        unique=(("device", "name"),),
    ),
    Model(
        path="ipam/vrfs",
        type="ipam.vrf",
        title="VRF",
        fields={
            "name": NAME,
            "rd": Text(21, nullable=True, default=None),
            "enforce_unique": Flag(default=True),
            **COMMON,
        },
        required=frozenset({"name"}),
        brief=("name", "rd", "description"),
        unique=(("rd",),),
    ),
    Model(
        path="ipam/vlans",
        type="ipam.vlan",
        title="VLAN",
        fields={
            "vid": Whole(1, 4094, nullable=False),
            "name": Text(64, blank=False),
            "site": Reference("dcim/sites"),
            "status": Choice(VLAN_STATUS, default="active"),
            **COMMON,
        },
        required=frozenset({"vid", "name"}),
        brief=("vid", "name", "description"),
    ),
    Model(
        path="ipam/prefixes",
        type="ipam.prefix",
        title="Prefix",
        fields={
            "prefix": Network(),
            "vrf": Reference("ipam/vrfs"),
            "scope_type": Type(("dcim.site",)),
            "scope_id": Whole(),
            "vlan": Reference("ipam/vlans"),
            "status": Choice(PREFIX_STATUS, default="active"),
            "is_pool": Flag(),
            "mark_utilized": Flag(),
            **COMMON,
        },
        required=frozenset({"prefix"}),
        name="prefix",
        brief=("family", "prefix", "description", "_depth"),
        search=("prefix", "description"),
    ),
    Model(
        path="ipam/ip-addresses",
        type="ipam.ipaddress",
        title="IPAddress",
        fields={
            "address": Address(),
            "vrf": Reference("ipam/vrfs"),
            "status": Choice(ADDRESS_STATUS, default="active"),
            "role": Choice(ADDRESS_ROLE, none=""),
            "assigned_object_type": Type(("dcim.interface", "virtualization.vminterface")),
            "assigned_object_id": Whole(),
            "dns_name": Text(255),
            **COMMON,
        },
        required=frozenset({"address"}),
        name="address",
        brief=("family", "address", "description"),
        search=("address", "dns_name", "description"),
    ),
    Model(
        path="virtualization/cluster-types",
        type="virtualization.clustertype",
        title="ClusterType",
        fields={"name": NAME, "slug": Slug(), **COMMON},
        required=frozenset({"name", "slug"}),
        unique=SLUGGED,
    ),
    Model(
        path="virtualization/clusters",
        type="virtualization.cluster",
        title="Cluster",
        fields={
            "name": NAME,
            "type": Reference("virtualization/cluster-types", nullable=False),
            "status": Choice(CLUSTER_STATUS, default="active"),
            **COMMON,
        },
        required=frozenset({"name", "type"}),
        brief=("name", "description"),
    ),
    Model(
        path="virtualization/virtual-machines",
        type="virtualization.virtualmachine",
        title="VirtualMachine",
        fields={
            "name": Text(64, blank=False),
            "status": Choice(MACHINE_STATUS, default="active"),
            "site": Reference("dcim/sites"),
            "cluster": Reference("virtualization/clusters"),
            "vcpus": Whole(),
            "memory": Whole(),
            "disk": Whole(),
            "primary_ip4": Reference("ipam/ip-addresses"),
            "primary_ip6": Reference("ipam/ip-addresses"),
            **COMMON,
        },
        required=frozenset({"name"}),
        brief=("name", "description"),
        unique=(("name", "cluster"),),
    ),
    Model(
        path="virtualization/interfaces",
        type="virtualization.vminterface",
        title="VMInterface",
        fields={
            "virtual_machine": Reference("virtualization/virtual-machines", nullable=False),
            "name": Text(64, blank=False),
            "enabled": Flag(default=True),
            "mtu": Whole(1, 65536),
            "vrf": Reference("ipam/vrfs"),
            **SHORT,
        },
        required=frozenset({"virtual_machine", "name"}),
        brief=("virtual_machine", "name", "description"),
        unique=(("virtual_machine", "name"),),
    ),
    Model(
        path="extras/custom-fields",
        type="extras.customfield",
        title="CustomField",
        fields={
            "name": Text(50, blank=False),
            "label": Text(50),
            "type": Choice(FIELD_TYPE, default="text"),
            "object_types": Items(),
            "description": Text(200),
            "required": Flag(),
        },
        required=frozenset({"name", "type", "object_types"}),
        brief=("name", "description"),
        unique=(("name",),),
        extensible=False,
    ),
)
BY_PATH: Mapping[str, Model] = {model.path: model for model in MODELS}
BY_TYPE: Mapping[str, Model] = {model.type: model for model in MODELS}
