"""What a router holds when it is new or reset."""

from __future__ import annotations

from runbook.lab.routeros import facts
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.menus.more import WIFI
from runbook.lab.routeros.session import FULL
from runbook.lab.routeros.state import Config, Row

PORTS = 5
SERVICES = {
    "telnet": 23, "ftp": 21, "www": 80, "ssh": 22, "www-ssl": 443, "api": 8728, "winbox": 8291,
    "api-ssl": 8729,
}  # fmt: skip
OFF = frozenset({"www-ssl"})
READ = "local,telnet,ssh,reboot,read,test,winbox,password,web,sniff,sensitive,api,romon"
WRITE = READ.replace("read,", "read,write,")


def bare(router: Device) -> Config:
    """Nothing but what can't be removed: after `reset-configuration no-defaults=yes`."""
    config = Config()
    ids = "interface"
    for n in range(1, PORTS + 1):
        name = f"ether{n}"
        address = facts.mac(router, name)
        row = {"name": name, "default-name": name, "mac-address": address}
        _put(config, "interface/ethernet", row | {"orig-mac-address": address}, ids)
    radio = "wifi" if router.release.number >= WIFI else "wireless"
    name = "wifi1" if radio == "wifi" else "wlan1"
    row = {"name": name, "default-name": name, "mac-address": facts.mac(router, name)}
    _put(config, f"interface/{radio}", {**row, "disabled": "yes"}, ids)
    if radio == "wireless":
        profile = {"name": "default", "default": "yes", "supplicant-identity": "MikroTik"}
        _put(config, "interface/wireless/security-profiles", profile)
    for name in ("all", "none", "dynamic", "static"):
        _put(config, "interface/list", {"name": name, "builtin": "yes"})
    for name, port in SERVICES.items():
        row = {"name": name, "port": str(port)} | ({"disabled": "yes"} if name in OFF else {})
        _put(config, "ip/service", row)
    everything = ",".join(sorted(FULL - ({"rest-api"} if router.release.is_6 else set())))
    for name, policy in (("read", READ), ("write", WRITE), ("full", everything)):
        _put(config, "user/group", {"name": name, "policy": policy, "default": "yes"})
    for name in ("memory", "disk", "echo", "remote"):
        _put(config, "system/logging/action", {"name": name, "target": name, "default": "yes"})
    for topics in ("info", "error", "warning", "critical"):
        action = "echo" if topics == "critical" else "memory"
        _put(config, "system/logging", {"topics": topics, "action": action, "default": "yes"})
    _put(config, "snmp/community", {"name": "public", "default": "yes"})
    return config


def fill(router: Device, config: Config, address: str) -> None:
    """The little that a router in use has: its address, the way out, and somebody near it."""
    _put(config, "ip/address", {"address": address, "interface": "ether1", **_network(address)})
    gateway = address.rpartition(".")[0] + ".254"
    _put(config, "ip/route", {"dst-address": "0.0.0.0/0", "gateway": gateway})
    for near in (gateway, router.client):
        row = {"address": near, "interface": "ether1", "mac-address": facts.mac(router, near)}
        _put(config, "ip/arp", {**row, "dynamic": "yes"})
    printer = address.rpartition(".")[0] + ".20"
    lease = {"address": printer, "mac-address": facts.mac(router, printer), "host-name": "printer"}
    _put(config, "ip/dhcp-server/lease", {**lease, "status": "bound", "dynamic": "yes"})


def add_user(config: Config, name: str, password: str, group: str = "full") -> None:
    _put(config, "user", {"name": name, "group": group, "password": password})


def _network(address: str) -> Row:
    import ipaddress

    return {"network": str(ipaddress.ip_interface(address).network.network_address)}


def _put(config: Config, path: str, row: Row, ids: str = "") -> None:
    config.rows(path).append({".id": config.new_id(ids or path), **row})


def certify(config: Config, certificate: str, key: str) -> None:
    """The router's own certificate, in use by api-ssl."""
    row = {"name": "router", "common-name": "router.lab.internal", "private-key": "yes"}
    _put(config, "certificate", row)
    config.keys.update({"router": certificate, "router/key": key})
    service = next(row for row in config.rows("ip/service") if row["name"] == "api-ssl")
    service["certificate"] = "router"
