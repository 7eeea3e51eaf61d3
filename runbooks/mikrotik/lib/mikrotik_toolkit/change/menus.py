"""Which menus and commands Exec may use: a list of what it must not touch."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mikrotik_toolkit.given import invalid
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.properties import is_secret

DENIED = (
    "system reset-configuration", "system shutdown", "system reboot", "system backup",
    "system license", "system script", "system scheduler", "system package",
    "system routerboard", "system device-mode", "system upgrade", "system ssh",
    "system telnet", "system ssh-exec", "system default-configuration", "system check-installation",
    "user", "password", "certificate", "radius", "export", "import", "execute", "console",
    "quit", "undo", "redo", "safe-mode", "beep", "login", "cancel",
    "file", "container", "disk", "partitions", "tool fetch", "tool netwatch",
    "tool traffic-monitor", "tool sms", "tr069-client", "special-login",
)  # fmt: skip
"""Menus and commands, with all that is below them."""
DENIED_PROPERTIES = re.compile(r"on-.+|(?:.+-)?script|source|run-after-reset")
"""Their values are scripts, which could do anything."""
DENIED_COMMANDS = ("export", "import", "edit", "reset-configuration", "backup",
                   "regenerate-host-key", "import-host-key", "export-host-key")  # fmt: skip
"""In whatever menu."""
_WHOLE = frozenset({"log", "reset"})
"""Names that only look like the beginning of a denied one."""
_WORD = re.compile(r"[a-z0-9][a-z0-9-]*")
_PROPERTY = re.compile(r"\.?[a-z0-9][a-z0-9.-]*")


def path_of(text: str) -> str:
    """`/ip/address`, however it is written. Raises `invalid`, or `refused` if it is denied."""
    words = text.replace("/", " ").split()
    if not words or not all(map(_WORD.fullmatch, words)):
        raise invalid(f"{text!r} is not a menu. Write it like /ip/address")
    path = f"/{'/'.join(words)}"
    if any(_is_below(words, denied.split()) for denied in DENIED) or any(
        _is(words[-1], denied) for denied in DENIED_COMMANDS
    ):
        raise refused(f"{path} is not allowed here")
    return path


def _is_below(words: list[str], denied: list[str]) -> bool:
    return len(words) >= len(denied) and all(map(_is, words, denied))


def _is(word: str, denied: str) -> bool:
    """Also if it is abbreviated, as on the console."""
    return word == denied or (denied.startswith(word) and word not in _WHOLE)


def check_properties(names: list[str]) -> None:
    for name in names:
        if not _PROPERTY.fullmatch(name) or name in (".id", ".proplist", ".query"):
            raise invalid(f"{name!r} is not a property")
        if DENIED_PROPERTIES.fullmatch(name):
            raise refused(f"{name} is a script, and is not allowed here")


def hidden(row: Mapping[str, str]) -> dict[str, str]:
    """The row with its secrets masked."""
    return {name: "***" if value and is_secret(name) else value for name, value in row.items()}


def refused(message: str) -> ConnectorError:
    return ConnectorError(message, ErrorCode.REFUSED, nothing_changed=True)
