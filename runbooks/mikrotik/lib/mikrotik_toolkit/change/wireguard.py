"""Peers of a WireGuard hub on a router."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Network, ip_interface, ip_network
from itertools import islice

import runbook
from mikrotik_toolkit import given, known, showing
from runbook.connectors import routeros
from runbook.connectors.effects import EarlierChange, earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.device import Row
from runbook.connectors.routeros.router import Router

INTERFACES, PEERS, ADDRESSES = "/interface/wireguard", "/interface/wireguard/peers", "/ip/address"
EFFECT, REMOVAL = "wireguard", "wireguard removal"
KEY_BYTES = 32
MOST_TRIED = 65_536
SINCE = (7, 1)
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Hub:
    """The router's end. `address` is the one on its interface."""

    name: str
    public_key: str
    port: str
    address: IPv4Interface


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    public_key: str
    address: str
    behind: tuple[Network, ...] = ()

    @property
    def allowed(self) -> str:
        return ",".join([f"{self.address}/32", *map(str, self.behind)])


def add() -> None:
    """Add the peer of the inputs, unless it is there."""
    key = public_key(given.text("PUBLIC_KEY"))
    with routeros.connect("ROUTER") as router:
        if not router.version.at_least(*SINCE):
            text = f"RouterOS {router.version} has no WireGuard. It came with 7.1"
            raise ConnectorError(text, ErrorCode.INVALID, nothing_changed=True)
        before = earlier(EFFECT)
        hub = hub_of(router, before)
        rows = router.print(PEERS, where={"interface": hub.name})
        peer = peer_of(rows, hub, key)
        if (row := _row_of(rows, key)) is None:
            _settle(before, PEERS, None)
            _add_peer(router, hub, peer)
        else:
            _settle(before, PEERS, row[".id"])
            print(f"{peer.name} is a peer of {hub.name} already")
    show(hub, peer)


def hub_of(router: Router, before: list[EarlierChange]) -> Hub:
    """The interface and its address; they are added if they aren't there."""
    name = given.text("INTERFACE")
    rows = router.print(INTERFACES, where={"name": name})
    _settle(before, INTERFACES, rows[0][".id"] if rows else None)
    if not rows:
        port = given.text("PORT")
        what = f"add WireGuard interface {name} to {known.name_of()}"
        with effect(what, key=EFFECT, probe={"menu": INTERFACES, "name": name}) as change:
            change.outcome["row"] = router.add(INTERFACES, {"name": name, "listen-port": port})
        rows = router.print(INTERFACES, where={"name": name})
    row = rows[0] if rows else {"listen-port": given.text("PORT")}
    address = _address_of(router, name, before)
    return Hub(name, row.get("public-key", ""), row["listen-port"], address)


def _address_of(router: Router, name: str, before: list[EarlierChange]) -> IPv4Interface:
    rows = router.print(ADDRESSES, where={"interface": name})
    found = [
        (it, one) for it in rows if isinstance(one := ip_interface(it["address"]), IPv4Interface)
    ]
    _settle(before, ADDRESSES, found[0][0][".id"] if found else None)
    if found:
        return found[0][1]
    network = IPv4Network(given.text("NETWORK"))
    if network.prefixlen > 30:
        raise given.invalid(f"NETWORK {network} has no room for peers")
    address = IPv4Interface(f"{network[1]}/{network.prefixlen}")
    probe = {"menu": ADDRESSES, "name": str(address)}
    with effect(f"add {address} to {name}", key=EFFECT, probe=probe) as change:
        values = {"address": str(address), "interface": name}
        change.outcome["row"] = router.add(ADDRESSES, values)
    return address


def peer_of(rows: list[Row], hub: Hub, key: str) -> Peer:
    """The peer as it is, or as it will be: with the wanted address, or the next one."""
    name = given.text("PEER")
    if (row := _row_of(rows, key)) is not None:
        first = row.get("allowed-address", "").partition(",")[0].partition("/")[0]
        return Peer(row.get("comment", "") or name, key, first)
    if any(one.get("comment") == name for one in rows):
        text = f"{hub.name} has a peer {name} with another key. Remove it first"
        raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)
    taken = list(networks_of(rows))
    wanted = given.text("ADDRESS")
    address = _checked(wanted, hub, taken) if wanted else next_address(hub, taken)
    return Peer(name, key, address, behind_of(given.words("BEHIND"), hub, taken))


def networks_of(rows: Iterable[Row]) -> Iterator[Network]:
    """What the peers may send."""
    for row in rows:
        for text in filter(None, row.get("allowed-address", "").split(",")):
            yield ip_network(text, strict=False)


def next_address(hub: Hub, taken: list[Network]) -> str:
    """The first one that no peer has. Raises `full`."""
    for address in islice(hub.address.network.hosts(), MOST_TRIED):
        if address != hub.address.ip and not any(
            address in one for one in taken if isinstance(one, IPv4Network)
        ):
            return str(address)
    text = f"{hub.address.network} has no free address"
    raise ConnectorError(text, ErrorCode.FULL, nothing_changed=True)


def _checked(wanted: str, hub: Hub, taken: list[Network]) -> str:
    network = ip_network(wanted)
    if not isinstance(network, IPv4Network) or not network.subnet_of(hub.address.network):
        raise given.invalid(f"ADDRESS {wanted} is not in {hub.address.network}")
    if wanted == str(hub.address.ip) or any(network.overlaps(one) for one in taken):
        text = f"{wanted} is taken"
        raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)
    return wanted


def behind_of(words: list[str], hub: Hub, taken: list[Network]) -> tuple[Network, ...]:
    """Networks behind the peer. None may be that of the tunnel, or another peer's."""
    found = []
    for word in words:
        try:
            network = ip_network(word)
        except ValueError as error:
            raise given.invalid(f"BEHIND: {error}") from None
        if any(network.overlaps(one) for one in (hub.address.network, *taken)):
            text = f"{network} overlaps the network of the tunnel, or what another peer has"
            raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)
        found.append(network)
    return tuple(found)


def _add_peer(router: Router, hub: Hub, peer: Peer) -> None:
    values: dict[str, object] = {
        "interface": hub.name,
        "public-key": peer.public_key,
        "allowed-address": peer.allowed,
        "comment": peer.name,
    }
    if secret := os.environ.get("PRESHARED_KEY", ""):
        values["preshared-key"] = secret
    probe = {"menu": PEERS, "name": peer.public_key}
    with effect(f"add peer {peer.name} to {hub.name}", key=EFFECT, probe=probe) as change:
        change.outcome["row"] = router.add(PEERS, values)


def remove() -> None:
    """Remove the peer of the inputs."""
    key, name = given.text("PUBLIC_KEY"), given.text("INTERFACE")
    with routeros.connect("ROUTER") as router:
        row = _row_of(router.print(PEERS, where={"interface": name}), key)
        for change in earlier(REMOVAL):
            change.adopt() if row is None else change.did_not_happen()
        if row is None:
            print(f"{name} has no such peer")
            return
        what = f"remove peer {row.get('comment') or key} from {name}"
        with effect(what, key=REMOVAL, probe={"menu": PEERS, "name": key}):
            router.remove(PEERS, row[".id"])


def undo() -> None:
    """Remove what was added, the peer first."""
    with routeros.connect("ROUTER") as router:
        for change in earlier(EFFECT):
            menu, name = str(change.probe["menu"]), str(change.probe["name"])
            column = {PEERS: "public-key", ADDRESSES: "address", INTERFACES: "name"}[menu]
            rows = router.print(menu, where={column: name})
            if menu == INTERFACES and router.print(PEERS, where={"interface": name}):
                print(f"{name} has other peers, and stays")
                change.let_go()
                continue
            router.remove(menu, *[row[".id"] for row in rows])
            change.undone()
            print(f"Reversed: {change.what}")


def _row_of(rows: list[Row], key: str) -> Row | None:
    return next((row for row in rows if row.get("public-key") == key), None)


def _settle(before: list[EarlierChange], menu: str, row: str | None) -> None:
    """What earlier attempts have added is there, or it isn't."""
    for change in before:
        if change.probe["menu"] == menu:
            change.adopt(row=row) if row else change.did_not_happen()


def public_key(text: str) -> str:
    """Raises `invalid` if it is none."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if len(data) != KEY_BYTES or not any(data):
        raise given.invalid("PUBLIC_KEY must be 32 bytes in Base64, as `wg pubkey` prints them")
    return text


def show(hub: Hub, peer: Peer) -> None:
    """What the other end needs. No secret is in it."""
    endpoint = given.text("ENDPOINT") or "HUB-ADDRESS"
    has_secret = bool(os.environ.get("PRESHARED_KEY", ""))
    config = for_wg_quick(hub, peer, endpoint, has_secret=has_secret)
    commands = for_routeros(hub, peer, endpoint, has_secret=has_secret)
    print(f"For wg-quick:\n\n{config}\nFor RouterOS:\n\n{commands}")
    showing.keep("wireguard.conf", config)
    showing.keep("wireguard.rsc", commands)
    runbook.output("ADDRESS", peer.address)
    runbook.output("HUB_PUBLIC_KEY", hub.public_key)
    runbook.output("HUB_PORT", hub.port)


def for_wg_quick(hub: Hub, peer: Peer, endpoint: str, *, has_secret: bool) -> str:
    secret = "PresharedKey = THE-PRESHARED-KEY\n" if has_secret else ""
    return f"""\
[Interface]
PrivateKey = YOUR-PRIVATE-KEY
Address = {peer.address}/32

[Peer]
PublicKey = {hub.public_key}
{secret}Endpoint = {endpoint}:{hub.port}
AllowedIPs = {hub.address.network}
PersistentKeepalive = 25
"""


def for_routeros(hub: Hub, peer: Peer, endpoint: str, *, has_secret: bool) -> str:
    secret = ' preshared-key="THE-PRESHARED-KEY"' if has_secret else ""
    network = hub.address.network
    return f"""\
/interface wireguard add name=wg-hub listen-port={hub.port} private-key="YOUR-PRIVATE-KEY"
/interface wireguard peers add interface=wg-hub public-key="{hub.public_key}"{secret} \\
    endpoint-address={endpoint} endpoint-port={hub.port} allowed-address={network} \\
    persistent-keepalive=25
/ip address add address={peer.address}/{network.prefixlen} interface=wg-hub
"""
