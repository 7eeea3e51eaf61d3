"""What Proxmox VE's answers mean. It says most in the reason phrase of the status line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from runbook.connectors.errors import ConnectorError, ErrorCode

# The first that matches counts.
_TEXTS: tuple[tuple[re.Pattern[str], ErrorCode], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"no quorum", ErrorCode.SERVER),
        (r"no space left|not enough (free )?space|out of space|disk quota", ErrorCode.FULL),
        (r"unable to get any free vmid", ErrorCode.FULL),
        (r"is locked|can't lock file|got (lock )?timeout", ErrorCode.LOCKED),
        (r"already exists|already running|already in use", ErrorCode.CONFLICT),
        (r"is running|not running|protection mode", ErrorCode.CONFLICT),
        (r"does not exist|no such|unable to find", ErrorCode.NOT_FOUND),
        (r"permission check failed|permission denied", ErrorCode.REFUSED),
    )
)
_STATUSES = {
    400: ErrorCode.INVALID,
    401: ErrorCode.AUTH,
    403: ErrorCode.REFUSED,
    404: ErrorCode.NOT_FOUND,
    595: ErrorCode.UNREACHABLE,
    596: ErrorCode.UNREACHABLE,
    597: ErrorCode.UNREACHABLE,
    599: ErrorCode.UNREACHABLE,
}
_LOST = (596, 597, 599)
"""The node that we ask has passed the request on, and lost the connection."""


def error_of(host: str, status: int, reason: str, body: str) -> ConnectorError:
    """The error of an answer with this HTTP status."""
    from runbook.connectors.transport import PASSED_ON  # needs the extra

    fields = _fields(body)
    texts = [reason.strip() or f"HTTP {status}"]
    texts += [f"{name}: {text.strip()}" for name, text in fields.items()]
    message = "; ".join(dict.fromkeys(texts))
    code = _STATUSES.get(status)
    if code in (None, ErrorCode.INVALID):
        code = code_of(message) or code or ErrorCode.SERVER
    text = f"{host}: {message}"
    refused = status not in PASSED_ON and status not in _LOST
    return ConnectorError(text, code, nothing_changed=refused, fields=fields)


def code_of(text: str) -> ErrorCode | None:
    """What a message of the server or of a task means; None if that isn't known."""
    return next((code for pattern, code in _TEXTS if pattern.search(text)), None)


def _fields(body: str) -> Mapping[str, str]:
    try:
        found: Any = json.loads(body).get("errors")
    except (ValueError, AttributeError):
        return {}
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}
