"""Which routers are next to each other."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Interface, ip_interface
from itertools import combinations
from typing import Any

import runbook
from mikrotik_toolkit import given, known, showing
from mikrotik_toolkit.watch import fleet
from runbook.connectors import routeros
from runbook.connectors.routeros.router import Router

NEIGHBORS = "mikrotik/Neighbors.md"
SHARED_PREFIX = 24
PROPERTIES = ("interface", "address", "address4", "identity", "mac-address", "platform", "version",
              "board")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Neighbor:
    interface: str
    identity: str
    address: str
    mac: str
    platform: str = ""
    version: str = ""

    @property
    def title(self) -> str:
        return self.identity or self.address or self.mac


@dataclass(frozen=True, slots=True)
class Node:
    """A router that was asked, by its name in the inventory."""

    name: str
    identity: str
    addresses: tuple[str, ...]
    neighbors: tuple[Neighbor, ...]

    @property
    def hosts(self) -> frozenset[str]:
        return frozenset(address.partition("/")[0] for address in self.addresses)


@dataclass(frozen=True, slots=True)
class Link:
    """`seen`: a router says so; else two have addresses in the same network."""

    a: str
    b: str
    interface: str = ""
    seen: bool = True


# -- one router ----------------------------------------------------------------------------------


def neighbors() -> None:
    """Neighbors: what one router sees."""
    with routeros.connect("ROUTER") as router:
        node = node_of(known.name_of(), router)
    rows = [
        (one.interface, one.identity, one.address, one.mac, one.platform, one.version)
        for one in node.neighbors
    ]
    headers = ("interface", "identity", "address", "mac", "platform", "version")
    for row in rows:
        print(*filter(None, row), sep="  ")
    showing.table(headers, rows, title=f"Neighbors of {node.name}", nothing="No neighbors")
    runbook.output("IDENTITY", node.identity)
    runbook.output("ADDRESSES", list(node.addresses))
    runbook.output("NEIGHBORS", [dict(zip(headers, row, strict=True)) for row in rows])


def node_of(name: str, router: Router) -> Node:
    addresses = [
        row["address"]
        for row in router.print("/ip/address", properties=("address", "disabled"))
        if not known.is_on(row, "disabled") and "address" in row
    ]
    seen = tuple(
        Neighbor(
            row.get("interface", "").partition(",")[0],
            row.get("identity", ""),
            row.get("address4") or row.get("address", ""),
            row.get("mac-address", ""),
            row.get("platform", ""),
            row.get("version", ""),
        )
        for row in known.rows_of(router, "/ip/neighbor", properties=PROPERTIES)
    )
    identity = router.print("/system/identity")[0].get("name", "")
    return Node(name, identity, tuple(addresses), seen)


def node_from(name: str, outputs: Mapping[str, Any]) -> Node:
    """From the outputs of Neighbors."""
    seen = tuple(Neighbor(**one) for one in outputs["NEIGHBORS"])
    return Node(name, outputs["IDENTITY"], tuple(outputs["ADDRESSES"]), seen)


# -- many routers --------------------------------------------------------------------------------


def main() -> None:
    results = fleet.each(given.names("ROUTERS"), NEIGHBORS)
    nodes = [node_from(name, one.outputs) for name, one in results.items() if not one.error]
    found = links_of(nodes)
    show(nodes, found)
    if errors := fleet.failed(results):
        for name, reason in errors.items():
            print(f"{name}: {reason}", file=sys.stderr)
        runbook.output("FAILED", sorted(errors))
        sys.exit(fleet.INCOMPLETE)


def links_of(nodes: list[Node]) -> list[Link]:
    """Each pair once. Routers without a neighbor are linked by networks that they share."""
    found: dict[frozenset[str], Link] = {}
    for node in nodes:
        for neighbor in node.neighbors:
            other = known_as(neighbor, nodes) or neighbor.title
            if other and other != node.name:
                link = Link(node.name, other, neighbor.interface)
                found.setdefault(frozenset((link.a, link.b)), link)
    linked = {name for pair in found for name in pair}
    for a, b in combinations(nodes, 2):
        lonely = a.name not in linked or b.name not in linked
        if lonely and not networks(a).isdisjoint(networks(b)):
            found.setdefault(frozenset((a.name, b.name)), Link(a.name, b.name, seen=False))
    return sorted(found.values(), key=lambda link: (link.a, link.b))


def known_as(neighbor: Neighbor, nodes: Iterable[Node]) -> str:
    """The name of the router that it is; an address tells more than an identity."""
    nodes = list(nodes)
    by_address = [one.name for one in nodes if neighbor.address in one.hosts]
    by_identity = [one.name for one in nodes if neighbor.identity and
                   neighbor.identity in (one.identity, one.name)]  # fmt: skip
    for names in (by_address, by_identity):
        if len(names) == 1:
            return names[0]
    return ""


def networks(node: Node) -> set[str]:
    """IPv4 networks of /24 and smaller, except those of single addresses."""
    return set(_networks(node.addresses))


def _networks(addresses: Iterable[str]) -> Iterator[str]:
    for text in addresses:
        interface = ip_interface(text)
        if (
            isinstance(interface, IPv4Interface)
            and SHARED_PREFIX <= interface.network.prefixlen < 32
        ):
            yield str(interface.network)


def show(nodes: list[Node], links: list[Link]) -> None:
    names = {node.name for node in nodes}
    others = sorted({name for link in links for name in (link.a, link.b)} - names)
    for link in links:
        print(f"{link.a} {'--' if link.seen else '..'} {link.b}  {link.interface}".rstrip())
    rows = [
        (link.a, link.b, link.interface, "neighbor" if link.seen else "same network")
        for link in links
    ]
    showing.table(("router", "next to", "interface", "why"), rows, title="Topology")
    shown = [asdict(link) for link in links]
    asked = [{"name": node.name, "addresses": list(node.addresses)} for node in nodes]
    graph = {"nodes": asked + [{"name": name, "addresses": []} for name in others], "links": shown}
    showing.keep("topology.json", json.dumps(graph, indent=1, ensure_ascii=False))
    showing.keep("topology.dot", as_dot(nodes, links))
    runbook.output("LINKS", shown)
    runbook.output("UNKNOWN", others)


def as_dot(nodes: list[Node], links: list[Link]) -> str:
    """For Graphviz."""
    lines = [f"  {_dot(node.name)} [shape=box];" for node in nodes]
    for link in links:
        style = f"label={_dot(link.interface)}" if link.seen else "style=dashed"
        lines.append(f"  {_dot(link.a)} -- {_dot(link.b)} [{style}];")
    return "\n".join(["graph topology {", *lines, "}", ""])


def _dot(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
