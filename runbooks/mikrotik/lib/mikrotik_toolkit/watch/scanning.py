"""Looks for routers in a network."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

import runbook
from mikrotik_toolkit import given, known, showing
from mikrotik_toolkit.known import Facts
from mikrotik_toolkit.watch import adding
from runbook.connectors.errors import ConnectorError

MOST_ADDRESSES = 4096
AT_ONCE = 50
LOGINS_AT_ONCE = 10
CONNECT_S = 2.0
MOST_PORTS = 10
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Host:
    """An address that accepts connections."""

    address: str
    ports: tuple[int, ...]
    name: str = ""


def main() -> None:
    network, ports = network_of(given.text("NETWORK")), ports_of(given.words("PORTS"))
    hosts = scanned(network, ports, names=given.flag("NAMES"))
    print(f"{len(hosts)} of {count(network)} addresses in {network} accept connections")
    if not given.text("CONNECTION"):
        show(hosts, {})
        return
    found = logged_in(hosts)
    show(hosts, found)
    if given.flag("ADD"):
        add(found)


def network_of(text: str) -> Network:
    """Of at most 4096 addresses: a /20, or in IPv6 a /116."""
    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise given.invalid(f"NETWORK: {error}") from None
    if network.num_addresses > MOST_ADDRESSES:
        smallest = network.max_prefixlen - 12
        raise given.invalid(f"{network} is too large. Scan a /{smallest} or smaller at once")
    return network


def ports_of(words: Iterable[str]) -> tuple[int, ...]:
    try:
        ports = tuple(dict.fromkeys(map(int, words)))
    except ValueError:
        ports = ()
    if not 1 <= len(ports) <= MOST_PORTS or not all(0 < port < 65_536 for port in ports):
        raise given.invalid(f"PORTS must have 1 to {MOST_PORTS} numbers from 1 to 65535")
    return ports


def count(network: Network) -> int:
    return sum(1 for _ in addresses_of(network))


def addresses_of(network: Network) -> Iterator[str]:
    """Without network and broadcast address."""
    return map(str, network.hosts())


def scanned(network: Network, ports: tuple[int, ...], *, names: bool) -> list[Host]:
    """Those that accept a connection, in order."""
    addresses = list(addresses_of(network))
    found: list[Host] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # All ports of an address by the same thread: few devices like many connections at once.
        asked = [pool.submit(host_at, address, ports, names=names) for address in addresses]
        for number, future in enumerate(as_completed(asked), start=1):
            if (host := future.result()) is not None:
                found.append(host)
            if number % AT_ONCE == 0 or number == len(asked):
                runbook.progress(100 * number / len(asked), f"{number} of {len(asked)} addresses")
    order = {address: number for number, address in enumerate(addresses)}
    return sorted(found, key=lambda host: order[host.address])


def host_at(address: str, ports: tuple[int, ...], *, names: bool) -> Host | None:
    opened = tuple(port for port in ports if is_open(address, port))
    return Host(address, opened, name_at(address) if names else "") if opened else None


def is_open(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=CONNECT_S):
            return True
    except OSError:
        return False


def name_at(address: str) -> str:
    """By reverse DNS; empty if there is none."""
    try:
        return socket.gethostbyaddr(address)[0]
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a router says of itself, or why it says nothing."""

    facts: Facts
    reason: str = ""


def logged_in(
    hosts: list[Host], look_up: Callable[[str], Facts] = adding.looked_up
) -> dict[str, Answer]:
    """The answer of each host, by address."""
    with ThreadPoolExecutor(LOGINS_AT_ONCE) as pool:
        answers = pool.map(lambda host: answer_of(host, look_up), hosts)
        return {host.address: answer for host, answer in zip(hosts, answers, strict=True)}


def answer_of(host: Host, look_up: Callable[[str], Facts]) -> Answer:
    try:
        return Answer(look_up(host.address))
    except ConnectorError as error:
        return Answer({}, error.code.value)


def add(found: dict[str, Answer]) -> None:
    """Each with its own name, or if that is taken or the usual one, with its address."""
    taken: set[str] = set()
    for address, answer in found.items():
        if answer.reason:
            continue
        own = known.device_name(str(answer.facts["facts"].get("identity", "")))
        usable = own not in ("", "mikrotik", *taken)
        name = own if usable else known.device_name(f"router-{address}")
        taken.add(name)
        adding.add(name, address, answer.facts)
    runbook.output("ADDED", sorted(taken))


def show(hosts: list[Host], found: dict[str, Answer]) -> None:
    rows = [_row(host, found.get(host.address, Answer({}))) for host in hosts]
    headers = ("address", "ports", "name", "router", "model", "version", "login")
    showing.table(headers, rows)
    runbook.output("HOSTS", [host.address for host in hosts])
    shown = [
        {"address": row[0], "ports": list(host.ports), "name": row[2], "router": row[3],
         "model": row[4], "version": row[5], "login": row[6]}
        for host, row in zip(hosts, rows, strict=True)
    ]  # fmt: skip
    runbook.output("FOUND", shown)
    showing.keep("scan.csv", showing.as_csv(headers, rows))
    tried = "CONNECTION" in os.environ
    for row in rows:
        print(*filter(None, map(str, row if tried else row[:3])), sep="  ")


def _row(host: Host, answer: Answer) -> tuple[str, ...]:
    ports = " ".join(map(str, host.ports))
    facts = answer.facts
    if not facts:
        return (host.address, ports, host.name, "", "", "", answer.reason)
    identity = facts["facts"].get("identity", "")
    return (host.address, ports, host.name, identity, facts["model"], facts["version"], "ok")
