"""The inputs of the runbook, read from its environment."""

from __future__ import annotations

import json
import os
from typing import Any

from runbook.connectors.errors import ConnectorError, ErrorCode


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def whole(name: str, default: int | None = None) -> int | None:
    given = text(name)
    if not given:
        return default
    try:
        return int(given)
    except ValueError:
        raise invalid(f"{name} must be a whole number, not {given}") from None


def number(name: str) -> int:
    """A whole number that the runbook requires."""
    found = whole(name)
    if found is None:
        raise invalid(f"{name} is missing")
    return found


def flag(name: str) -> bool:
    return text(name) == "true"


def rows(name: str) -> list[dict[str, Any]]:
    """A list of objects. Members that are empty count as absent."""
    given = text(name)
    try:
        found = json.loads(given) if given else []
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise invalid(f"{name} must be a list of objects")
    return [{k: v for k, v in row.items() if v not in (None, "")} for row in found]


def words(name: str) -> list[str]:
    """Words that are separated by commas or blanks."""
    return text(name).replace(",", " ").split()


def given(**values: object) -> dict[str, object]:
    """The values that are there."""
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def invalid(message: str) -> ConnectorError:
    return ConnectorError(message, ErrorCode.INVALID, nothing_changed=True)
