"""The kinds of values that properties hold, each kept in the form in which the router prints it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from enum import StrEnum

from runbook.lab.routeros.clock import (
    read_date,
    read_duration,
    read_time,
    write_date,
    write_duration,
    write_time,
)

YES = frozenset({"yes", "true"})
NO = frozenset({"no", "false"})


class Kind(StrEnum):
    TEXT = "text"
    BOOL = "bool"
    INT = "int"
    DURATION = "duration"
    IP = "ip"
    PREFIX = "prefix"
    """An address with the length of its network, which keeps its host bits."""
    RANGE = "range"
    """An address, a network or a range, perhaps negated."""
    PORTS = "ports"
    CHOICE = "choice"
    LIST = "list"
    """Several of the choices, separated by commas."""
    MAC = "mac"
    INTERFACE = "interface"
    """The name of an interface, which follows when the interface is renamed."""
    DATE = "date"
    START = "start"
    """A time of day, or `startup`."""


def _bool(text: str) -> str:
    if text.lower() in YES:
        return "yes"
    if text.lower() in NO:
        return "no"
    raise ValueError(text)


def _int(text: str) -> str:
    return str(int(text, 0))


def _ip(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _prefix(text: str) -> str:
    return ipaddress.ip_interface(text).with_prefixlen


def _range(text: str) -> str:
    bare = text.removeprefix("!")
    for part in bare.split(","):
        first, _, last = part.partition("-")
        if last:
            ipaddress.ip_address(first)
            ipaddress.ip_address(last)
        else:
            ipaddress.ip_interface(first)
    return text


def _ports(text: str) -> str:
    if not re.fullmatch(r"!?\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*", text):
        raise ValueError(text)
    return text


def _mac(text: str) -> str:
    if not re.fullmatch(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}", text):
        raise ValueError(text)
    return text.upper().replace("-", ":")


def _duration(text: str) -> str:
    return text if text in {"none", "never", "auto"} else write_duration(read_duration(text))


def _date(text: str) -> str:
    return write_date(read_date(text), iso=True)


def _start(text: str) -> str:
    return text if text == "startup" else write_time(read_time(text))


_READERS: dict[Kind, Callable[[str], str]] = {
    Kind.BOOL: _bool,
    Kind.INT: _int,
    Kind.DURATION: _duration,
    Kind.IP: _ip,
    Kind.PREFIX: _prefix,
    Kind.RANGE: _range,
    Kind.PORTS: _ports,
    Kind.MAC: _mac,
    Kind.DATE: _date,
    Kind.START: _start,
}


def read(kind: Kind, text: str, choices: tuple[str, ...] = ()) -> str:
    """The value as it is kept: raises ValueError."""
    if kind in {Kind.CHOICE, Kind.LIST} and choices:
        parts = text.removeprefix("!").split(",") if kind is Kind.LIST else [text.removeprefix("!")]
        if any(part and part.removeprefix("!") not in choices for part in parts):
            raise ValueError(text)
        return text
    reader = _READERS.get(kind)
    return reader(text) if reader else text


def order(text: str) -> tuple[int, float, str]:
    """A key by which values compare: numbers and durations by size, the rest by text."""
    if re.fullmatch(r"-?\d+", text):
        return 0, float(text), ""
    try:
        return 0, float(int(ipaddress.ip_interface(text).ip)), ""
    except ValueError:
        pass
    try:
        return 0, read_duration(text), ""
    except ValueError:
        return 1, 0.0, text
