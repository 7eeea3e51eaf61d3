"""Whether a client reaches a service: the router's address, the service and the firewall decide."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum, auto

from runbook.lab.routeros.defaults import SERVICES
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.operations import INTERFACES
from runbook.lab.routeros.state import Row

DEPTH = 20
MATCHED = frozenset(
    {
        "protocol", "dst-port", "port", "src-address", "dst-address", "src-address-list",
        "dst-address-list", "in-interface", "in-interface-list", "connection-state",
    }
)  # fmt: skip
"""A rule with other conditions never matches here."""


class Verdict(Enum):
    ACCEPT = auto()
    DROP = auto()
    """The client hears nothing."""
    REJECT = auto()


@dataclass(frozen=True)
class Packet:
    service: str
    established: bool

    @property
    def port(self) -> int:
        return SERVICES[self.service]


def listens(router: Device, service: str) -> bool:
    """Whether the service is enabled on the port by which we reach it."""
    row = _service(router, service)
    return bool(router.rescue) or (
        row is not None and row.get("disabled") != "yes" and row["port"] == str(SERVICES[service])
    )


def verdict(router: Device, packet: Packet) -> Verdict:
    if router.rescue:
        return Verdict.ACCEPT
    if not _has_address(router):
        return Verdict.DROP
    row = _service(router, packet.service) or {}
    if not packet.established and not _in_any(router.client, row.get("address", "")):
        return Verdict.REJECT
    return _chain(router, "input", packet, 0) or Verdict.ACCEPT


def _service(router: Device, name: str) -> Row | None:
    rows = router.config.rows("ip/service")
    return next((row for row in rows if row["name"] == name), None)


def _has_address(router: Device) -> bool:
    return _entry(router) is not None


def _entry(router: Device) -> str | None:
    """The interface that has the address by which we reach the router, if it is up."""
    up = {
        row["name"]
        for path in INTERFACES
        for row in router.config.rows(path)
        if row.get("disabled") != "yes"
    }
    for row in router.config.rows("ip/address"):
        if row.get("disabled") == "yes" or row["interface"] not in up:
            continue
        if ipaddress.ip_interface(row["address"]).ip == ipaddress.ip_address(router.management):
            return row["interface"]
    return None


def _chain(router: Device, chain: str, packet: Packet, depth: int) -> Verdict | None:
    for row in router.config.rows("ip/firewall/filter"):
        if row["chain"] != chain or row.get("disabled") == "yes":
            continue
        if not _matches(router, row, packet):
            continue
        action = row.get("action", "accept")
        if action in {"accept", "fasttrack-connection"}:
            return Verdict.ACCEPT
        if action in {"drop", "tarpit"}:
            return Verdict.DROP
        if action == "reject":
            return Verdict.REJECT
        if action == "return":
            return None
        if action == "jump" and depth < DEPTH:
            found = _chain(router, row.get("jump-target", ""), packet, depth + 1)
            if found:
                return found
    return None


def _matches(router: Device, row: Row, packet: Packet) -> bool:
    menu = router.menus["ip/firewall/filter"]
    plain = {".id", "chain", "action", "comment", "disabled", "log", "log-prefix", "jump-target",
             "reject-with", "address-list", "address-list-timeout", "hw-offload"}  # fmt: skip
    for name, value in row.items():
        if name in plain or not value or menu.properties[name].read_only:
            continue
        if name not in MATCHED or not _holds(router, name, value, packet):
            return False
    return True


def _holds(router: Device, name: str, value: str, packet: Packet) -> bool:
    wanted = value.removeprefix("!")
    return _is(router, name, wanted, packet) != value.startswith("!")


def _is(router: Device, name: str, value: str, packet: Packet) -> bool:  # noqa: PLR0911 - a table
    match name:
        case "protocol":
            return value in {"tcp", "6"}
        case "dst-port" | "port":
            return any(_in_ports(packet.port, part) for part in value.split(","))
        case "src-address":
            return _in(router.client, value)
        case "dst-address":
            return _in(router.management, value)
        case "src-address-list":
            return _listed(router, router.client, value)
        case "dst-address-list":
            return _listed(router, router.management, value)
        case "in-interface":
            return value in {_entry(router), "all", "all-ethernet"}
        case "in-interface-list":
            return value == "all" or _entry(router) in _members(router, value)
        case _:
            state = "established" if packet.established else "new"
            return state in value.split(",")


def _in_ports(port: int, text: str) -> bool:
    first, _, last = text.partition("-")
    return int(first) <= port <= int(last or first)


def _members(router: Device, name: str) -> set[str]:
    rows = router.config.rows("interface/list/member")
    return {
        row["interface"] for row in rows if row["list"] == name and row.get("disabled") != "yes"
    }


def _listed(router: Device, address: str, name: str) -> bool:
    return any(
        row["list"] == name and row.get("disabled") != "yes" and _in(address, row["address"])
        for row in router.config.rows("ip/firewall/address-list")
    )


def _in_any(address: str, networks: str) -> bool:
    return not networks or any(_in(address, one) for one in networks.split(","))


def _in(address: str, network: str) -> bool:
    first, _, last = network.partition("-")
    ours = ipaddress.ip_address(address)
    try:
        if last:
            low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
            return int(low) <= int(ours) <= int(high)
        return ours in ipaddress.ip_network(network, strict=False)
    except ValueError:  # a name
        return False
