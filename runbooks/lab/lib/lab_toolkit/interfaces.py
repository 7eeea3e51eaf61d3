"""The rows of NICS, and what becomes of them: addresses in NetBox, interfaces in Proxmox VE."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

FAMILIES = {"4": "PREFIX", "6": "PREFIX6"}


@dataclass(frozen=True)
class Wanted:
    """An address to allocate, for the interface with this number. The mark is its own."""

    nic: int
    family: str
    prefix: str
    address: str
    mark: str


@dataclass(frozen=True)
class Allocated:
    """An address as AllocateIp hands it over."""

    nic: int
    family: str
    prefix: str
    mark: str
    address: str
    number: int
    gateway: str = ""
    nameservers: str = ""


@dataclass
class Interface:
    """One row with its addresses."""

    row: Mapping[str, Any]
    addresses: list[Allocated] = field(default_factory=list)


def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(os.environ["NICS"])
    return found


def wanted_addresses(given: Sequence[Mapping[str, Any]], mark: str) -> list[Wanted]:
    """One for each prefix of each row. A row that says dhcp or auto has no prefix."""
    return [
        Wanted(n, family, row[key], row.get(_address_key(family), ""), f"{mark}-{n}v{family}")
        for n, row in enumerate(given)
        for family, key in FAMILIES.items()
        if row.get(key)
    ]


def guest_rows(
    given: Sequence[Mapping[str, Any]], allocated: Sequence[Allocated]
) -> list[dict[str, Any]]:
    """The rows that CreateContainer and CreateVm take.

    The first interface of each family with a gateway has the default route: more than one would
    make the machine answer on the wrong interface.
    """
    made = []
    routed: set[str] = set()
    for n, row in enumerate(given):
        kept = {
            name: row[name] for name in ("BRIDGE", "VLAN", "MODEL", "FIREWALL") if row.get(name)
        }
        for one in allocated:
            if one.nic != n:
                continue
            suffix = "" if one.family == "4" else "6"
            kept[f"IP{suffix}"] = one.address
            if one.gateway and one.family not in routed:
                kept[f"GATEWAY{suffix}"] = one.gateway
                routed.add(one.family)
        made.append(kept)
    return made


def nameservers(allocated: Sequence[Allocated]) -> str:
    """Each once, in order, separated by commas."""
    return ",".join(dict.fromkeys(name for one in allocated for name in one.nameservers.split()))


def by_interface(allocated: Sequence[Allocated]) -> dict[str, list[int]]:
    """What RecordMachine takes."""
    found: dict[str, list[int]] = {f"eth{n}": [] for n in range(len(rows()))}
    for one in allocated:
        found[f"eth{one.nic}"].append(one.number)
    return found


def to_json(allocated: Sequence[Allocated]) -> str:
    return json.dumps([asdict(one) for one in allocated])


def from_json(text: str) -> list[Allocated]:
    return [Allocated(**one) for one in json.loads(text)]


def _address_key(family: str) -> str:
    return "ADDRESS" if family == "4" else "ADDRESS6"
