"""Requests to NetBox, and how its answers are compared.

`{name}` in a path or a body stands for the ID in the answer to the request with this name. The
answers of a real NetBox are recorded in answers.json: `RECORD=1 make test-netbox`.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import httpx

RECORDED = Path(__file__).with_name("answers.json")
GOOD, OLD, NONE, WRONG_OLD, WRONG_NEW = "good", "old", "none", "wrong old", "wrong new"
VOLATILE = {"url", "display_url", "created", "last_updated"}
IDS = {"id", "scope_id", "assigned_object_id"}


@dataclass(frozen=True)
class Exchange:
    name: str
    method: str
    path: str
    body: object = None
    token: str = GOOD


def get(name, path, **more):
    return Exchange(name, "GET", path, **more)


def post(name, path, body):
    return Exchange(name, "POST", path, body)


def patch(name, path, body):
    return Exchange(name, "PATCH", path, body)


def delete(name, path):
    return Exchange(name, "DELETE", path)


PREFIXES, ADDRESSES, VLANS = "ipam/prefixes/", "ipam/ip-addresses/", "ipam/vlans/"
DEVICES, SITES, MACHINES = "dcim/devices/", "dcim/sites/", "virtualization/virtual-machines/"
TEXT_201 = "x" * 201

EXCHANGES = (
    # tokens
    get("no token", PREFIXES, token=NONE),
    get("wrong old token", PREFIXES, token=WRONG_OLD),
    get("wrong new token", PREFIXES, token=WRONG_NEW),
    get("old token", PREFIXES, token=OLD),
    # sites, VLANs, VRFs
    post(
        "field",
        "extras/custom-fields/",
        {"name": "gateway", "type": "text", "object_types": ["ipam.prefix"]},
    ),
    post("site", SITES, {"name": "Berlin", "slug": "berlin"}),
    post("site without slug", SITES, {"name": "X"}),
    post("site twice", SITES, {"name": "Berlin", "slug": "berlin"}),
    post("site with bad slug", SITES, {"name": "X", "slug": "a b"}),
    post("site with bad status", SITES, {"name": "X", "slug": "x", "status": "nope"}),
    post("other site", SITES, {"name": "Aachen", "slug": "aachen", "description": "West"}),
    get("sites", SITES),
    post("vlan", VLANS, {"vid": 20, "name": "servers", "site": "{site}"}),
    post("vlan out of range", VLANS, {"vid": 5000, "name": "x"}),
    post("vlan without name", VLANS, {"vid": 21}),
    post("vlan that isn't a number", VLANS, {"vid": "abc", "name": "x"}),
    post("vlan of no site", VLANS, {"vid": 22, "name": "x", "site": 999_999}),
    post("vlan by slug", VLANS, {"vid": 10, "name": "office", "site": {"slug": "berlin"}}),
    post("vlan of an unknown slug", VLANS, {"vid": 11, "name": "x", "site": {"slug": "nope"}}),
    get("vlans of a site", f"{VLANS}?site=berlin"),
    get("vlans of an unknown site", f"{VLANS}?site=nope"),
    get("vlan by number", f"{VLANS}?vid=20"),
    post("vrf", "ipam/vrfs/", {"name": "blue", "rd": "65000:1"}),
    # prefixes
    post(
        "prefix",
        PREFIXES,
        {
            "prefix": "10.1.0.0/29",
            "scope_type": "dcim.site",
            "scope_id": "{site}",
            "vlan": "{vlan}",
            "description": "Servers",
            "custom_fields": {"gateway": "10.1.0.6"},
        },
    ),
    post("prefix twice", PREFIXES, {"prefix": "10.1.0.0/29"}),
    post("prefix with host bits", PREFIXES, {"prefix": "10.9.0.5/24"}),
    post("no prefix", PREFIXES, {}),
    post("bad prefix", PREFIXES, {"prefix": "nonsense"}),
    post("prefix with bad status", PREFIXES, {"prefix": "10.2.0.0/24", "status": "nope"}),
    post(
        "prefix with unknown custom field",
        PREFIXES,
        {"prefix": "10.2.0.0/24", "custom_fields": {"nope": 1}},
    ),
    post("container", PREFIXES, {"prefix": "10.0.0.0/8", "status": "container"}),
    post("in a VRF", PREFIXES, {"prefix": "10.1.0.0/29", "vrf": "{vrf}"}),
    post("pool", PREFIXES, {"prefix": "10.3.0.0/30", "is_pool": True}),
    post("link", PREFIXES, {"prefix": "10.4.0.0/31"}),
    post("host", PREFIXES, {"prefix": "10.5.0.1/32"}),
    post("v6", PREFIXES, {"prefix": "2001:db8:1::/126"}),
    post("v6 link", PREFIXES, {"prefix": "2001:db8:2::/127"}),
    post("v6 large", PREFIXES, {"prefix": "2001:db8:3::/64"}),
    get("prefix again", PREFIXES + "{prefix}/"),
    get("prefixes", PREFIXES),
    get("prefixes of IPv6", f"{PREFIXES}?family=6"),
    get("prefixes by prefix", f"{PREFIXES}?prefix=10.1.0.0/29"),
    get("prefixes of the global table", f"{PREFIXES}?prefix=10.1.0.0/29&vrf_id=null"),
    get("prefixes of a VRF", PREFIXES + "?vrf_id={vrf}"),
    get("prefixes within", f"{PREFIXES}?within=10.0.0.0/8"),
    get("prefixes within or the same", f"{PREFIXES}?within_include=10.0.0.0/8&family=4"),
    get("prefixes that contain", f"{PREFIXES}?contains=10.1.0.3"),
    get("prefixes of a site", f"{PREFIXES}?site=berlin"),
    get("prefixes by status", f"{PREFIXES}?status=container&status=reserved"),
    get("prefixes by bad status", f"{PREFIXES}?status=nope"),
    get("prefixes by text", f"{PREFIXES}?q=Servers"),
    get("prefixes by description", f"{PREFIXES}?description__ic=ERVER"),
    get("prefixes by custom field", f"{PREFIXES}?cf_gateway=10.1.0.6"),
    get("first page", f"{PREFIXES}?limit=2"),
    get("second page", f"{PREFIXES}?limit=2&offset=2"),
    get("largest page", f"{PREFIXES}?limit=0"),
    patch(
        "prefix changed",
        PREFIXES + "{prefix}/",
        {"description": "Web servers", "status": "reserved"},
    ),
    patch(
        "prefix changed badly", PREFIXES + "{prefix}/", {"status": "nope", "description": TEXT_201}
    ),
    patch("no such prefix", f"{PREFIXES}999999/", {"description": "x"}),
    # free addresses
    get("free", PREFIXES + "{prefix}/available-ips/"),
    get("free in a pool", PREFIXES + "{pool}/available-ips/"),
    get("free in a link", PREFIXES + "{link}/available-ips/"),
    get("free in a host", PREFIXES + "{host}/available-ips/"),
    get("free in v6", PREFIXES + "{v6}/available-ips/"),
    get("free in a v6 link", PREFIXES + "{v6 link}/available-ips/"),
    get("free in a large v6", PREFIXES + "{v6 large}/available-ips/?limit=3"),
    get("free in a VRF", PREFIXES + "{in a VRF}/available-ips/?limit=1"),
    get("free in nothing", f"{PREFIXES}999999/available-ips/"),
    post(
        "gateway",
        ADDRESSES,
        {"address": "10.1.0.6/29", "status": "reserved", "description": "Gateway"},
    ),
    post(
        "allocated",
        PREFIXES + "{prefix}/available-ips/",
        {"description": "web-1", "dns_name": "web-1.example.com", "status": "active"},
    ),
    post(
        "allocated two",
        PREFIXES + "{prefix}/available-ips/",
        [{"description": "a"}, {"description": "b"}],
    ),
    post("allocated badly", PREFIXES + "{prefix}/available-ips/", {"status": "nope"}),
    post("allocated too many", PREFIXES + "{prefix}/available-ips/", [{}, {}, {}]),
    post("allocated in a VRF", PREFIXES + "{in a VRF}/available-ips/", {}),
    post("allocated in v6", PREFIXES + "{v6 large}/available-ips/", {"description": "six"}),
    post("last two", PREFIXES + "{prefix}/available-ips/", [{}, {}]),
    post("full", PREFIXES + "{prefix}/available-ips/", {}),
    post("address twice in a VRF", ADDRESSES, {"address": "10.1.0.1/29", "vrf": "{vrf}"}),
    post("prefix twice in a VRF", PREFIXES, {"prefix": "10.1.0.0/29", "vrf": "{vrf}"}),
    # addresses
    post("address twice", ADDRESSES, {"address": "10.1.0.6/29"}),
    post("no address", ADDRESSES, {}),
    post("bad address", ADDRESSES, {"address": "10.1.0.999"}),
    post("address with bad status", ADDRESSES, {"address": "10.6.0.1/24", "status": "nope"}),
    post("address with long text", ADDRESSES, {"address": "10.6.0.1/24", "description": TEXT_201}),
    post("address without mask", ADDRESSES, {"address": "10.6.0.1", "role": "vip"}),
    post("network address", ADDRESSES, {"address": "10.6.1.0/24"}),
    get("addresses in a prefix", f"{ADDRESSES}?parent=10.1.0.0/29"),
    get("addresses of the global table", f"{ADDRESSES}?parent=10.1.0.0/29&vrf_id=null"),
    get("addresses by host", f"{ADDRESSES}?address=10.1.0.6"),
    get("addresses by host and mask", f"{ADDRESSES}?address=10.1.0.6/24"),
    get("addresses by DNS name", f"{ADDRESSES}?dns_name__ic=WEB"),
    get("addresses by description", f"{ADDRESSES}?description__ic=gatew"),
    get("addresses by text", f"{ADDRESSES}?q=web-1"),
    get("addresses by status", f"{ADDRESSES}?status=reserved"),
    get("addresses of IPv6", f"{ADDRESSES}?family=6"),
    get("addresses by ID", ADDRESSES + "?id={gateway}&id={allocated}"),
    patch("address changed", ADDRESSES + "{allocated}/", {"status": "deprecated", "dns_name": ""}),
    delete("released", ADDRESSES + "{gateway}/"),
    delete("released twice", ADDRESSES + "{gateway}/"),
    get("released address", ADDRESSES + "{gateway}/"),
    # devices
    post("maker", "dcim/manufacturers/", {"name": "Generic", "slug": "generic"}),
    post(
        "type",
        "dcim/device-types/",
        {"manufacturer": "{maker}", "model": "Switch", "slug": "switch"},
    ),
    post("role", "dcim/device-roles/", {"name": "Network", "slug": "network"}),
    post(
        "device",
        DEVICES,
        {
            "name": "sw1",
            "device_type": "{type}",
            "role": "{role}",
            "site": "{site}",
            "serial": "S-1",
        },
    ),
    post(
        "device twice",
        DEVICES,
        {"name": "sw1", "device_type": "{type}", "role": "{role}", "site": "{site}"},
    ),
    post("device without anything", DEVICES, {"name": "sw2"}),
    post(
        "port",
        "dcim/interfaces/",
        {"device": "{device}", "name": "eth0", "type": "other", "mtu": 1500},
    ),
    post("port twice", "dcim/interfaces/", {"device": "{device}", "name": "eth0", "type": "other"}),
    post("port of no type", "dcim/interfaces/", {"device": "{device}", "name": "eth1"}),
    post(
        "port's address",
        ADDRESSES,
        {
            "address": "10.7.0.2/24",
            "assigned_object_type": "dcim.interface",
            "assigned_object_id": "{port}",
        },
    ),
    post(
        "port's network address",
        ADDRESSES,
        {
            "address": "10.8.0.0/24",
            "assigned_object_type": "dcim.interface",
            "assigned_object_id": "{port}",
        },
    ),
    get("addresses of a device", ADDRESSES + "?device_id={device}"),
    patch("device with its address", DEVICES + "{device}/", {"primary_ip4": "{port's address}"}),
    patch("device with another address", DEVICES + "{device}/", {"primary_ip4": "{allocated}"}),
    get("devices", DEVICES),
    get("devices of a site", f"{DEVICES}?site=berlin&role=network"),
    get("devices by name", f"{DEVICES}?name=sw1"),
    get("devices by part of the name", f"{DEVICES}?name__ic=W1"),
    get("devices by serial", f"{DEVICES}?q=s-1"),
    get("ports of a device", "dcim/interfaces/?device_id={device}"),
    post(
        "device of the other site",
        DEVICES,
        {"name": "sw1", "device_type": "{type}", "role": "{role}", "site": "{other site}"},
    ),
    delete("other device", DEVICES + "{device of the other site}/"),
    delete("port with an address", "dcim/interfaces/{port}/"),
    get("address of a deleted port", ADDRESSES + "{port's address}/"),
    delete("unused site", SITES + "{other site}/"),
    delete("site in use", SITES + "{site}/"),
    post(
        "type twice",
        "dcim/device-types/",
        {"manufacturer": "{maker}", "model": "Switch", "slug": "switch"},
    ),
    # virtual machines
    post(
        "cluster type",
        "virtualization/cluster-types/",
        {"name": "Proxmox VE", "slug": "proxmox-ve"},
    ),
    post("cluster", "virtualization/clusters/", {"name": "lab", "type": "{cluster type}"}),
    post("machine nowhere", MACHINES, {"name": "web-1"}),
    post("machine", MACHINES, {"name": "web-1", "cluster": "{cluster}", "vcpus": 2, "memory": 512}),
    post("machine twice", MACHINES, {"name": "web-1", "cluster": "{cluster}"}),
    post("nic", "virtualization/interfaces/", {"virtual_machine": "{machine}", "name": "eth0"}),
    post(
        "nic twice", "virtualization/interfaces/", {"virtual_machine": "{machine}", "name": "eth0"}
    ),
    post("cluster twice", "virtualization/clusters/", {"name": "lab", "type": "{cluster type}"}),
    patch(
        "nic's address",
        ADDRESSES + "{allocated}/",
        {"assigned_object_type": "virtualization.vminterface", "assigned_object_id": "{nic}"},
    ),
    patch("machine's address", MACHINES + "{machine}/", {"primary_ip4": "{allocated}"}),
    get("machines", f"{MACHINES}?cluster_id={{cluster}}"),
    get("addresses of a machine", ADDRESSES + "?virtual_machine_id={machine}"),
    patch(
        "primary address taken away",
        ADDRESSES + "{allocated}/",
        {"assigned_object_type": None, "assigned_object_id": None},
    ),
    patch("machine without primary address", MACHINES + "{machine}/", {"primary_ip4": None}),
    patch("machine with it again", MACHINES + "{machine}/", {"primary_ip4": "{allocated}"}),
    delete("machine deleted", MACHINES + "{machine}/"),
    get("address of a deleted machine", ADDRESSES + "{allocated}/"),
    get("nic of a deleted machine", "virtualization/interfaces/{nic}/"),
    get("clusters by name", "virtualization/clusters/?name=lab"),
)


def exchange_all(netbox):
    """The normalized answers of a NetBox, by the names of the requests."""
    tokens = {
        GOOD: f"Bearer {netbox.token}",
        OLD: f"Token {netbox.old_token}",
        NONE: None,
        WRONG_OLD: f"Token {'f' * 40}",
        WRONG_NEW: f"Bearer nbt_abcdefabcdef.{'A' * 40}",
    }
    ids, answers = {}, {}
    with httpx.Client(base_url=f"{netbox.url}/api/", timeout=60) as client:
        for exchange in EXCHANGES:
            token = tokens[exchange.token]
            response = client.request(
                exchange.method,
                filled(exchange.path, ids),
                json=filled(exchange.body, ids) if exchange.body is not None else None,
                headers={"Authorization": token} if token else {},
            )
            body = response.json() if response.content else None
            if isinstance(body, dict) and "id" in body:
                ids[exchange.name] = body["id"]
            answers[exchange.name] = [response.status_code, normalized(body)]
    return answers


def filled(value, ids):
    """The value with the IDs in place of the names."""
    if isinstance(value, dict):
        return {name: filled(item, ids) for name, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ids) for item in value]
    if not isinstance(value, str):
        return value
    if whole := re.fullmatch(r"\{([^}]+)\}", value):
        return ids[whole[1]]
    return re.sub(r"\{([^}]+)\}", lambda found: str(ids[found[1]]), value)


def normalized(value):
    if isinstance(value, dict):
        return {name: _member(name, item) for name, item in value.items() if name not in VOLATILE}
    if isinstance(value, list):
        return [normalized(item) for item in value]
    return value


def _member(name, value):
    if name in IDS and isinstance(value, int):
        return "ID"
    if name in ("next", "previous") and isinstance(value, str):
        path, _, query = value.partition("?")
        path = path[path.index("/api/") :]
        return f"{path}?{'&'.join(sorted(re.sub('_id=[0-9]+', '_id=ID', query).split('&')))}"
    if isinstance(value, str):
        # PostgreSQL's own messages name the object.
        return re.sub(r"\((\d+)\)", "(ID)", value) if name == "detail" else value
    return normalized(value)


def recorded():
    return json.loads(RECORDED.read_text())


def record(answers):
    RECORDED.write_text(json.dumps(answers, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
