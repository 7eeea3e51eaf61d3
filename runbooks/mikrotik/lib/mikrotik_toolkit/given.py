"""The inputs of the runbook, read from its environment."""

from __future__ import annotations

import json
import os

from runbook.connectors.errors import ConnectorError, ErrorCode


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def whole(name: str, default: int) -> int:
    given = text(name)
    return int(given) if given else default


def flag(name: str) -> bool:
    return text(name) == "true"


def words(name: str) -> list[str]:
    """Words that are separated by commas or blanks."""
    return text(name).replace(",", " ").split()


def names(name: str) -> list[str]:
    """The devices of an input with `type: devices`."""
    found = json.loads(text(name, "[]"))
    return [str(one) for one in found]


def pairs(name: str) -> dict[str, str]:
    """A list of rows with NAME and VALUE."""
    found: dict[str, str] = {}
    for row in json.loads(text(name, "[]")):
        if row["NAME"] in found:
            raise invalid(f"{name} has {row['NAME']} twice")
        found[row["NAME"]] = str(row.get("VALUE", ""))
    return found


def invalid(message: str) -> ConnectorError:
    return ConnectorError(message, ErrorCode.INVALID, nothing_changed=True)
