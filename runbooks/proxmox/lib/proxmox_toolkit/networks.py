"""Network interfaces: from rows of a form to what Proxmox VE takes."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from proxmox_toolkit.inputs import invalid

MOST = 8
MODELS = ("virtio", "e1000", "e1000e", "rtl8139", "vmxnet3")
Row = Mapping[str, Any]


def container_nets(rows: Sequence[Row]) -> dict[str, str]:
    """`net0`, `net1` and so on of a container."""
    _check_count(rows)
    return {f"net{n}": _container_net(n, row) for n, row in enumerate(rows)}


def machine_nets(rows: Sequence[Row]) -> dict[str, str]:
    """`net0`, `net1` and so on of a virtual machine."""
    _check_count(rows)
    return {f"net{n}": _machine_net(n, row) for n, row in enumerate(rows)}


def machine_addresses(rows: Sequence[Row]) -> dict[str, str]:
    """`ipconfig0` and so on, for the interfaces with addresses: cloud-init sets them."""
    found = {f"ipconfig{n}": _joined(_addresses(n, row)) for n, row in enumerate(rows)}
    return {name: text for name, text in found.items() if text}


def name_servers(rows: Sequence[Row], more: Sequence[str]) -> str:
    """All name servers, each once, separated by blanks."""
    listed = [name for row in rows for name in str(row.get("DNS", "")).replace(",", " ").split()]
    for name in (*more, *listed):
        _ip(name, "A name server")
    return " ".join(dict.fromkeys([*more, *listed]))


def _container_net(n: int, row: Row) -> str:
    parts = {"name": str(row.get("NAME", f"eth{n}")), "bridge": _bridge(n, row)}
    parts |= _common(n, row, mac="hwaddr")
    return _joined(parts | _addresses(n, row))


def _machine_net(n: int, row: Row) -> str:
    model = str(row.get("MODEL", MODELS[0])).lower()
    if model not in MODELS:
        raise invalid(f"Interface {n}: MODEL must be one of {', '.join(MODELS)}")
    rest = {"bridge": _bridge(n, row), **_common(n, row, mac="macaddr")}
    return f"{model},{_joined(rest)}"


def _bridge(n: int, row: Row) -> str:
    bridge = row.get("BRIDGE")
    if not bridge:
        raise invalid(f"Interface {n}: BRIDGE is missing")
    return str(bridge)


def _common(n: int, row: Row, *, mac: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    if "VLAN" in row:
        vlan = int(row["VLAN"])
        if not 1 <= vlan <= 4094:
            raise invalid(f"Interface {n}: VLAN must be between 1 and 4094")
        parts["tag"] = str(vlan)
    if row.get("FIREWALL") in (True, "true"):
        parts["firewall"] = "1"
    named = {"mtu": "MTU", "rate": "RATE", mac: "MAC"}
    return parts | {name: str(row[given]) for name, given in named.items() if given in row}


def _addresses(n: int, row: Row) -> dict[str, str]:
    """Addresses and gateways. A gateway needs an address in the same family."""
    parts: dict[str, str] = {}
    for version, key, words in ((4, "", ("dhcp",)), (6, "6", ("dhcp", "auto"))):
        address = str(row.get(f"IP{key}", ""))
        if not address:
            continue
        parts[f"ip{key}"] = address
        if address in words:
            continue
        _check_address(n, address, version)
        if gateway := str(row.get(f"GATEWAY{key}", "")):
            if _ip(gateway, f"Interface {n}: GATEWAY{key}").version != version:
                raise invalid(f"Interface {n}: GATEWAY{key} must be an IPv{version} address")
            parts[f"gw{key}"] = gateway
    return parts


def _check_address(n: int, address: str, version: int) -> None:
    try:
        found = ipaddress.ip_interface(address)
    except ValueError:
        found = None
    if found is None or found.version != version or "/" not in address:
        key = "IP" if version == 4 else "IP6"
        words = "dhcp" if version == 4 else "dhcp, auto"
        rule = f"{words} or an IPv{version} address with a prefix length"
        raise invalid(f"Interface {n}: {key} must be {rule}, not {address}")


def _ip(text: str, what: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise invalid(f"{what} must be an IP address, not {text}") from None


def _check_count(rows: Sequence[Row]) -> None:
    if len(rows) > MOST:
        raise invalid(f"A guest can have at most {MOST} interfaces, not {len(rows)}")


def _joined(parts: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in parts.items())
