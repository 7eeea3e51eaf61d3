"""What the inventory knows of the device of this run, and what is reported to it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import runbook
from runbook.connectors import connection
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.router import Router

VENDOR = "MikroTik"
YES = ("true", "yes")
LONGEST_NAME = 63
_UNFIT = re.compile(r"[^a-z0-9._-]+")
_DURATION = re.compile(r"(\d+)([wdhms])")
_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_CLOCK = re.compile(r"(\d+):(\d+):(\d+)$")

Facts = dict[str, Any]


def name_of(input_name: str = "ROUTER") -> str:
    return os.environ[input_name]


def facts_of(input_name: str = "ROUTER") -> Facts:
    """What earlier runs have found out."""
    found = (connection.read(input_name).device or {}).get("facts")
    return dict(found) if isinstance(found, dict) else {}


def report(facts: Facts, input_name: str = "ROUTER", **fields: object) -> None:
    """Update the device in the inventory. Facts that aren't given stay; None removes one."""
    merged = {**facts_of(input_name), **facts}
    kept = {name: value for name, value in merged.items() if value is not None}
    runbook.device(name_of(input_name), facts=kept, **fields)


def identity_of(router: Router) -> Facts:
    """The fields of the inventory that the router itself knows, and its serial number in facts."""
    board = board_of(router)
    facts = {
        "identity": router.print("/system/identity")[0].get("name", ""),
        "serial": board.get("serial-number", ""),
        "architecture": router.resource.get("architecture-name", ""),
        "firmware": board.get("current-firmware", ""),
    }
    return {
        "vendor": VENDOR,
        "model": board.get("model") or router.board,
        "version": str(router.version),
        "facts": {name: value for name, value in facts.items() if value},
    }


def board_of(router: Router) -> Mapping[str, str]:
    """`/system/routerboard`; empty on x86 and CHR, where there is none."""
    try:
        rows = router.print("/system/routerboard")
    except ConnectorError as error:
        if error.code in (ErrorCode.INVALID, ErrorCode.NOT_FOUND, ErrorCode.DEVICE_ERROR):
            return {}
        raise
    return rows[0] if rows else {}


def rows_of(router: Router, menu: str, **options: Any) -> list[dict[str, str]]:
    """The rows of a menu; none if the router has no such menu: a package is missing."""
    try:
        return router.print(menu, **options)
    except ConnectorError as error:
        if error.code in (ErrorCode.INVALID, ErrorCode.NOT_FOUND):
            return []
        raise


def device_name(text: str) -> str:
    """A name that the inventory accepts; empty if nothing is left of it."""
    return _UNFIT.sub("-", text.lower()).lstrip("-._")[:LONGEST_NAME].rstrip("-")


def is_on(row: Mapping[str, str], name: str) -> bool:
    return row.get(name) in YES


def whole(row: Mapping[str, str], name: str) -> int:
    """A number; 0 if there is none."""
    digits = re.match(r"-?\d+", row.get(name, ""))
    return int(digits[0]) if digits else 0


def seconds(duration: str) -> int:
    """Of `1w2d3h4m5s`, or of `1d 02:03:04`."""
    found = sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))
    if (clock := _CLOCK.search(duration)) is not None:
        hours, minutes, rest = map(int, clock.groups())
        found += hours * 3600 + minutes * 60 + rest
    return found
