"""What a device says by SNMP: the output of snmpwalk, read as a device with interfaces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface

SYSTEM = "1.3.6.1.2.1.1"
INTERFACES = "1.3.6.1.2.1.2.2.1"
MORE_OF_INTERFACES = "1.3.6.1.2.1.31.1.1.1"
OLD_ADDRESSES = "1.3.6.1.2.1.4.20.1"
ADDRESSES = "1.3.6.1.2.1.4.34.1"
SERIAL_NUMBERS = "1.3.6.1.2.1.47.1.1.1.1.11"
VLAN_NAMES = "1.3.6.1.2.1.17.7.1.4.3.1.1"
SUBTREES = (
    SYSTEM,
    *(f"{INTERFACES}.{column}" for column in (2, 4, 7)),
    *(f"{MORE_OF_INTERFACES}.{column}" for column in (1, 18)),
    *(f"{OLD_ADDRESSES}.{column}" for column in (2, 3)),
    *(f"{ADDRESSES}.{column}" for column in (3, 4, 5)),
    SERIAL_NUMBERS,
    VLAN_NAMES,
)
"""What to ask for. `snmpwalk -One` prints it as `read_values` reads it."""

LINE = re.compile(r"\.(?P<oid>[0-9.]+) = (?:(?P<type>[A-Za-z][A-Za-z0-9-]*): ?)?(?P<value>.*)")
UP = "1"
UNICAST = "1"
BYTES = {1: 4, 2: 16, 3: 8, 4: 20}
"""The length of each type of address (RFC 4001); types 3 and 4 have a zone at the end."""

Values = Mapping[str, str]
IpInterface = IPv4Interface | IPv6Interface


@dataclass
class Interface:
    name: str
    alias: str = ""
    mtu: int | None = None
    enabled: bool = True
    addresses: list[IpInterface] = field(default_factory=list)


@dataclass(frozen=True)
class Device:
    name: str
    description: str
    serial: str
    interfaces: tuple[Interface, ...]
    vlans: Mapping[int, str]


def read_values(text: str) -> dict[str, str]:
    """Values by OID. A text can have several lines."""
    values: dict[str, str] = {}
    last = ""
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        if found is None:
            if last and not line.startswith("."):
                values[last] += f"\n{line}"
            continue
        last = found["oid"]
        values[last] = found["value"]
    return {oid: _plain(value) for oid, value in values.items() if not _is_missing(value)}


def read_device(values: Values) -> Device:
    interfaces = _interfaces(values)
    for index, address in _addresses(values):
        known = interfaces.get(index)
        if known is not None and _is_useful(address) and address not in known.addresses:
            known.addresses.append(address)
    serials = [text for _, text in _column(values, SERIAL_NUMBERS) if text.strip()]
    return Device(
        values.get(f"{SYSTEM}.5.0", "").strip(),
        values.get(f"{SYSTEM}.1.0", "").strip(),
        serials[0].strip() if serials else "",
        tuple(interfaces[index] for index in sorted(interfaces)),
        {int(index): name for index, name in _column(values, VLAN_NAMES) if index.isdecimal()},
    )


def _plain(value: str) -> str:
    text = value.strip()
    return text[1:-1].replace('\\"', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text


def _is_missing(value: str) -> bool:
    return value.startswith(("No Such ", "No more variables"))


def _column(values: Values, column: str) -> Iterator[tuple[str, str]]:
    start = f"{column}."
    for oid, value in values.items():
        if oid.startswith(start):
            yield oid[len(start) :], value


def _interfaces(values: Values) -> dict[int, Interface]:
    """By their index. The short name if there is one, which is what people see in a shell."""
    names = dict(_column(values, f"{INTERFACES}.2"))
    names |= {k: v for k, v in _column(values, f"{MORE_OF_INTERFACES}.1") if v}
    aliases = dict(_column(values, f"{MORE_OF_INTERFACES}.18"))
    mtus = dict(_column(values, f"{INTERFACES}.4"))
    states = dict(_column(values, f"{INTERFACES}.7"))
    return {
        int(index): Interface(
            name,
            aliases.get(index, ""),
            int(mtus[index]) if mtus.get(index, "").isdecimal() else None,
            states.get(index, UP) == UP,
        )
        for index, name in names.items()
        if index.isdecimal() and name
    }


def _addresses(values: Values) -> Iterator[tuple[int, IpInterface]]:
    """Of both tables: older devices have only the first, which knows no IPv6."""
    masks = dict(_column(values, f"{OLD_ADDRESSES}.3"))
    for address, index in _column(values, f"{OLD_ADDRESSES}.2"):
        if address in masks and index.isdecimal():
            yield int(index), ip_interface(f"{address}/{masks[address]}")
    prefixes = dict(_column(values, f"{ADDRESSES}.5"))
    types = dict(_column(values, f"{ADDRESSES}.4"))
    for row, index in _column(values, f"{ADDRESSES}.3"):
        if types.get(row, UNICAST) != UNICAST:
            continue  # a broadcast address is in the table too
        length = prefixes.get(row, "").rpartition(".")[2]
        indexed = _indexed_address(row)
        if indexed and length.isdecimal() and index.isdecimal():
            yield int(index), ip_interface(f"{indexed}/{length}")


def _indexed_address(row: str) -> str | None:
    """An address in an index: its type, its length, its bytes, and perhaps a zone."""
    numbers = [int(part) for part in row.split(".")]
    if len(numbers) < 2 or BYTES.get(numbers[0]) != numbers[1] or len(numbers) < 2 + numbers[1]:
        return None
    size = 4 if numbers[0] in (1, 3) else 16
    return str(ip_address(bytes(numbers[2 : 2 + size])))


def _is_useful(address: IpInterface) -> bool:
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)
