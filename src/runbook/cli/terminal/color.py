"""Colors of statuses, and whether to use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

_CODES = {
    "succeeded": "32",
    "ok": "32",
    "failed": "31",
    "timed_out": "31",
    "lost": "31",
    "refused": "35",
    "invalid": "35",
    "cancelled": "33",
    "interrupted": "33",
    "warning": "33",
    "running": "36",
    "waiting": "36",
    "queued": "36",
}


def wanted(stream: IO[Any], environment: Mapping[str, str]) -> bool:
    """Whether to use colors: NO_COLOR, then CLICOLOR_FORCE, else only in a capable terminal."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    if environment.get("CLICOLOR") == "0" or environment.get("TERM") == "dumb":
        return False
    return stream.isatty()


def paint(text: str, *, colour: bool, status: str | None = None) -> str:
    """A status, or a text in the color of `status`."""
    code = _CODES.get(text if status is None else status)
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text
