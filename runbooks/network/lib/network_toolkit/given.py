"""The inputs of the runbook, read from its environment."""

from __future__ import annotations

import os

from runbook.connectors.errors import ConnectorError, ErrorCode


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def whole(name: str, default: int) -> int:
    given = text(name)
    return int(given) if given else default


def flag(name: str) -> bool:
    return text(name) == "true"


def invalid(message: str) -> ConnectorError:
    return ConnectorError(message, ErrorCode.INVALID, nothing_changed=True)
