"""Addresses in NetBox: allocated once, found again after a crash, and released.

What a run creates has a mark in its description, so that a later attempt can tell it from
everything else.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import TYPE_CHECKING, Any

from runbook.connectors.effects import EarlierChange, EffectState, earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.script.commands import dry_run

if TYPE_CHECKING:
    from pynetbox.core.api import Api

Record = Any
"""An object of pynetbox."""
IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

GATEWAY_FIELDS = ("gateway", "default_gateway", "gw")
NAMESERVER_FIELDS = ("dns_servers", "nameservers")
MARK = re.compile(r"[A-Za-z0-9-]{8,40}")
DESCRIPTION_LIMIT = 200
POLL_S = 0.5
DRY_MARK = "…"
"""A dry run plans the same as the next one, and as the run that follows."""


@dataclass(frozen=True)
class Wanted:
    """What to allocate. Without an address, the next free one."""

    mark: str
    address: str = ""
    dns_name: str = ""
    description: str = ""
    status: str = "active"


def own_mark() -> str:
    """The mark that the caller gives in MARK, or the end of this run's ID."""
    given = os.environ.get("MARK", "")
    if given and not MARK.fullmatch(given):
        text = "MARK must have 8 to 40 letters, digits and hyphens"
        raise ConnectorError(text, ErrorCode.INVALID)
    if dry_run() and not given:
        return DRY_MARK
    return given or os.environ.get("RUNBOOK_RUN_ID", "").rpartition("-")[2]


def marked_text(text: str, mark: str) -> str:
    """A description with the mark: `web-1 [run 1f0e5a4d2c11]`."""
    tag = f"[run {mark}]"
    return f"{text.strip()[: DESCRIPTION_LIMIT - len(tag) - 1]} {tag}".strip()


def is_marked(record: Record, mark: str) -> bool:
    return f"[run {mark}]" in str(record.description or "")


# -- prefixes ------------------------------------------------------------------------------------


def find_prefix(nb: Api, text: str) -> Record:
    """A prefix by `10.10.20.0/24`, or by `10.10.20.0/24@VRF` if it is in a VRF."""
    network, _, vrf = text.partition("@")
    try:
        shown = str(ip_network(network.strip()))
    except ValueError as error:
        text = f"{network} isn't a prefix: {error}"
        raise ConnectorError(text, ErrorCode.INVALID) from None
    found = [
        it
        for it in nb.ipam.prefixes.filter(prefix=shown)
        if (it.vrf.name if it.vrf else "") == vrf.strip()
    ]
    where = f"the VRF {vrf}" if vrf else "the global table"
    if not found:
        raise ConnectorError(f"There is no prefix {shown} in {where}", ErrorCode.NOT_FOUND)
    if len(found) > 1:
        text = f"There are {len(found)} prefixes {shown} in {where}"
        raise ConnectorError(text, ErrorCode.CONFLICT)
    return found[0]


def name_of(prefix: Record) -> str:
    """How `find_prefix` finds it again."""
    return f"{prefix.prefix}@{prefix.vrf.name}" if prefix.vrf else str(prefix.prefix)


def gateway_of(prefix: Record) -> IpAddress | None:
    """The gateway of the custom field, else the first host. None in a pool or for a single host."""
    network = ip_network(str(prefix.prefix))
    for name in GATEWAY_FIELDS:
        value = (prefix.custom_fields or {}).get(name)
        if value:
            return _address_in(value, name, network)
    if prefix.is_pool or network.prefixlen == network.max_prefixlen:
        return None
    single_link = network.prefixlen == network.max_prefixlen - 1
    return network.network_address + (0 if single_link else 1)


def _address_in(value: Any, name: str, network: IpNetwork) -> IpAddress:
    """The value of a custom field: a text, or a reference to an address."""
    text = value.get("address") if isinstance(value, Mapping) else value
    try:
        found = ip_interface(str(text)).ip
    except ValueError:
        text = f"The custom field {name} of {network} isn't an IP address: {text}"
        raise ConnectorError(text, ErrorCode.INVALID) from None
    if found.version != network.version:
        text = f"The custom field {name} of {network} has an address of another family: {found}"
        raise ConnectorError(text, ErrorCode.INVALID)
    return found


def nameservers_of(prefix: Record) -> tuple[str, ...]:
    """The name servers of the custom field: a list, or text with blanks or commas."""
    for name in NAMESERVER_FIELDS:
        value = (prefix.custom_fields or {}).get(name)
        if value:
            words = value if isinstance(value, list) else re.split(r"[\s,;]+", str(value))
            return tuple(str(ip_address(str(word))) for word in words if word)
    return ()


# -- addresses -----------------------------------------------------------------------------------


def addresses_of(nb: Api, prefix: Record, **filters: Any) -> list[Record]:
    """The addresses within a prefix, in its VRF."""
    vrf = prefix.vrf.id if prefix.vrf else "null"
    return list(nb.ipam.ip_addresses.filter(parent=str(prefix.prefix), vrf_id=vrf, **filters))


def marked_in(nb: Api, prefix: Record, mark: str) -> list[Record]:
    found = addresses_of(nb, prefix, description__ic=f"[run {mark}]")
    return [it for it in found if is_marked(it, mark)]


def reserve_gateway(nb: Api, prefix: Record, gateway: IpAddress, mark: str) -> None:
    """Reserve the gateway unless NetBox has it."""
    network = ip_network(str(prefix.prefix))
    if gateway not in network:
        return
    for before in earlier("gateway"):
        settle(before, made_by(nb, before))
    if addresses_of(nb, prefix, address=str(gateway)):
        return
    probe = {"prefix": prefix.id, "address": str(gateway), "mark": mark}
    with effect(f"reserve the gateway {gateway}", key="gateway", probe=probe) as change:
        made = nb.ipam.ip_addresses.create(
            address=f"{gateway}/{network.prefixlen}",
            vrf=prefix.vrf.id if prefix.vrf else None,
            status="reserved",
            description=marked_text("Gateway", mark),
        )
        change.outcome["id"] = made.id


def allocate(nb: Api, prefix: Record, wanted: Wanted) -> Record:
    """Allocate an address; if an earlier attempt of this run did, return that one."""
    for before in earlier("address"):
        found = made_by(nb, before)
        settle(before, found)
        if found:
            return found[0]
    # A caller gives each address another mark: it has asked for this one before.
    own = [it for it in marked_in(nb, prefix, wanted.mark) if not _is_gateway(it)]
    if own:
        return own[0]
    given = {
        "status": wanted.status,
        "dns_name": wanted.dns_name,
        "description": marked_text(wanted.description, wanted.mark),
    }
    what = f"allocate {wanted.address or 'an address'} in {prefix.prefix}"
    probe = {"prefix": prefix.id, "mark": wanted.mark}
    with effect(what, key="address", probe=probe) as change:
        made = _created(nb, prefix, wanted, given)
        change.outcome["id"] = made.id
        change.outcome["address"] = str(made.address)
    return made


def _created(nb: Api, prefix: Record, wanted: Wanted, given: dict[str, Any]) -> Record:
    if not wanted.address:
        return prefix.available_ips.create(given)
    network = ip_network(str(prefix.prefix))
    asked = ip_interface(wanted.address).ip
    if asked not in network:
        text = f"{asked} isn't in {network}"
        raise ConnectorError(text, ErrorCode.INVALID, nothing_changed=True)
    return nb.ipam.ip_addresses.create(
        address=f"{asked}/{network.prefixlen}",
        vrf=prefix.vrf.id if prefix.vrf else None,
        **given,
    )


def _is_gateway(record: Record) -> bool:
    return str(record.description or "").startswith("Gateway [run ")


# -- after a crash, and back ---------------------------------------------------------------------


def made_by(nb: Api, change: EarlierChange) -> list[Record]:
    """What an earlier change made in NetBox, according to its mark."""
    prefix = nb.ipam.prefixes.get(change.probe["prefix"])
    if prefix is None:
        return []

    def look() -> list[Record]:
        found = marked_in(nb, prefix, str(change.probe["mark"]))
        return [it for it in found if _is_gateway(it) == (change.key == "gateway")]

    return look_until_settled(nb, change, look)


def look_until_settled(
    nb: Api, change: EarlierChange, look: Callable[[], list[Record]]
) -> list[Record]:
    """Look again while a request that was sent before a crash may still arrive."""
    settled_at = change.at / 1000 + nb.http_session.timeout_s if change.may_still_come else 0.0
    return look_for(settled_at - time.time(), look)


def look_for(wait_s: float, look: Callable[[], list[Record]]) -> list[Record]:
    """Look again, for so many seconds, while nothing is found."""
    give_up_at = time.monotonic() + wait_s
    while not (found := look()) and time.monotonic() < give_up_at:
        time.sleep(POLL_S)
    return found


def settle(change: EarlierChange, made: list[Record]) -> None:
    """Go on from what an earlier attempt made, or note that it made nothing."""
    if made:
        change.adopt(id=made[0].id)
    else:
        change.did_not_happen()


def undo(nb: Api) -> list[str]:
    """Release what the undone run allocated, and only that. Returns the released addresses.

    A reserved gateway stays if others have allocated addresses since: they rely on it.
    """
    released = []
    for change in sorted(earlier(), key=lambda it: it.key == "gateway"):
        if change.key not in ("address", "gateway"):
            continue
        made = made_by(nb, change)
        if not made and change.state is EffectState.DONE:
            _refuse_changed(nb, change)
        if change.key == "gateway" and _is_relied_on(nb, change, made):
            continue
        delete(made)
        released += [str(it.address) for it in made]
        (change.undone if made else change.did_not_happen)()
    return released


def _refuse_changed(nb: Api, change: EarlierChange) -> None:
    """The address can still be there, but belong to someone else by now."""
    now = nb.ipam.ip_addresses.get(change.outcome.get("id", 0))
    if now is not None:
        text = f"Someone has changed {now.address} since: its description is {now.description!r}"
        raise ConnectorError(text, ErrorCode.CONFLICT)


def _is_relied_on(nb: Api, change: EarlierChange, made: list[Record]) -> bool:
    prefix = nb.ipam.prefixes.get(change.probe["prefix"])
    return prefix is not None and any(_is_needed(nb, prefix, it, made) for it in made)


# -- releasing -----------------------------------------------------------------------------------


def release_marked(nb: Api, prefix: str, mark: str, *, assigned: bool, wait_s: float) -> list[str]:
    """As `release`. Where there is no such prefix, there is nothing to release."""
    try:
        found = find_prefix(nb, prefix)
    except ConnectorError as error:
        if error.code is not ErrorCode.NOT_FOUND:
            raise
        return []
    return release(nb, found, mark=mark, assigned=assigned, wait_s=wait_s)


def release(
    nb: Api,
    prefix: Record,
    *,
    address: str = "",
    mark: str = "",
    assigned: bool = False,
    wait_s: float = 0.0,
) -> list[str]:
    """Release one address, or what has this mark, and return what was released.

    A reserved gateway with the mark stays if others have allocated addresses since: they rely on
    it. Raises ConnectorError for an address that is assigned to an interface, unless `assigned`.
    """
    if bool(address) == bool(mark):
        raise ConnectorError("Give either an address or a mark", ErrorCode.INVALID)
    for change in earlier("release"):
        if nb.ipam.ip_addresses.get(change.probe["id"]) is None:
            change.adopt()
        else:
            change.did_not_happen()
    if mark:
        own = look_for(wait_s, lambda: marked_in(nb, prefix, mark))
    else:
        own = _one(nb, prefix, address)
    released = [
        it for it in own if not (mark and _is_gateway(it) and _is_needed(nb, prefix, it, own))
    ]
    for record in released:
        if owner_of(record) and not assigned:
            text = f"{record.address} is assigned to {owner_of(record)}"
            raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)
    for record in released:
        probe = {"id": record.id, "given": _given(record)}
        with effect(f"release {record.address}", key="release", probe=probe):
            delete([record])
    return [str(it.address) for it in released]


def undo_release(nb: Api) -> list[str]:
    """Allocate again what the undone run released. Returns the addresses."""
    restored = []
    for change in earlier("release"):
        if not _is_released(nb, change):
            change.did_not_happen()
            continue
        nb.ipam.ip_addresses.create(change.probe["given"])
        restored.append(str(change.probe["given"]["address"]))
        change.undone()
    return restored


def _is_released(nb: Api, change: EarlierChange) -> bool:
    number = change.probe["id"]

    def gone() -> list[Record]:
        return [number] if nb.ipam.ip_addresses.get(number) is None else []

    return bool(look_until_settled(nb, change, gone))


def owner_of(record: Record) -> str:
    """The interface that an address is assigned to, such as `web-1 eth0`; empty if it isn't."""
    interface = record.assigned_object
    if not interface:
        return ""
    owner = getattr(interface, "device", None) or getattr(interface, "virtual_machine", None)
    return f"{owner} {interface}" if owner else str(interface)


def _one(nb: Api, prefix: Record, address: str) -> list[Record]:
    try:
        shown = str(ip_interface(address).ip)
    except ValueError:
        raise ConnectorError(f"{address} isn't an IP address", ErrorCode.INVALID) from None
    found = addresses_of(nb, prefix, address=shown)
    if not found:
        text = f"NetBox has no address {shown} in {name_of(prefix)}"
        raise ConnectorError(text, ErrorCode.NOT_FOUND)
    return found


def _given(record: Record) -> dict[str, Any]:
    """What creates the address again."""
    return {
        "address": str(record.address),
        "vrf": record.vrf.id if record.vrf else None,
        "status": record.status.value,
        "role": record.role.value if record.role else "",
        "dns_name": record.dns_name,
        "description": record.description,
        "comments": record.comments,
    }


def _is_needed(nb: Api, prefix: Record, gateway: Record, own: Iterable[Record]) -> bool:
    """Whether others have addresses in the prefix that were allocated after the gateway."""
    known = {it.id for it in own}
    return any(it.id > gateway.id and it.id not in known for it in addresses_of(nb, prefix))


def delete(records: Iterable[Record]) -> None:
    """Delete objects; those that are gone already are fine."""
    for record in records:
        try:
            record.delete()
        except ConnectorError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
