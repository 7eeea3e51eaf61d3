"""Which menus and commands Exec may use: a list of what it must not touch."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mikrotik_toolkit.given import invalid
from runbook.connectors.errors import ConnectorError, ErrorCode

DENIED = (
    "system reset-configuration", "system shutdown", "system reboot", "system backup",
    "system license", "system script", "system scheduler", "system package",
    "system routerboard", "system device-mode", "system upgrade", "system ssh",
    "system telnet", "system ssh-exec", "system default-configuration", "system check-installation",
    "user", "password", "certificate", "radius", "export", "import", "execute", "console",
    "quit", "undo", "redo", "safe-mode", "beep", "login", "cancel",
    "file", "container", "disk", "partitions", "tool fetch", "tool netwatch",
    "tool traffic-monitor", "tool sms",
)  # fmt: skip
"""Menus and commands, with all that is below them."""
DENIED_PROPERTIES = frozenset(
    (
        *("on-event", "source", "script", "on-up", "on-down", "on-login", "on-logout"),
        *("lease-script", "up-script", "down-script", "test-script", "on-error", "on-master"),
        *("on-backup", "on-sync", "on-message", "run-after-reset"),
    )
)
"""Their values are scripts, which could do anything."""
DENIED_COMMANDS = frozenset({"export", "import", "edit", "reset-configuration", "backup"})
"""In whatever menu."""
SECRETS = frozenset({"password", "secret", "passphrase", "authentication-password",
                     "encryption-password", "community", "key"})  # fmt: skip
_WORD = re.compile(r"[a-z0-9][a-z0-9-]*")
_PROPERTY = re.compile(r"\.?[a-z0-9][a-z0-9.-]*")


def path_of(text: str) -> str:
    """`/ip/address`, however it is written. Raises `invalid`, or `refused` if it is denied."""
    words = text.replace("/", " ").split()
    if not words or not all(map(_WORD.fullmatch, words)):
        raise invalid(f"{text!r} is not a menu. Write it like /ip/address")
    path = " ".join(words)
    for denied in DENIED:
        if path == denied or path.startswith(f"{denied} "):
            raise refused(f"/{'/'.join(words)} is not allowed here")
    if words[-1] in DENIED_COMMANDS:
        raise refused(f"/{'/'.join(words)} is not allowed here")
    return "/" + "/".join(words)


def check_properties(names: list[str]) -> None:
    for name in names:
        if not _PROPERTY.fullmatch(name) or name in (".id", ".proplist", ".query"):
            raise invalid(f"{name!r} is not a property")
        if name in DENIED_PROPERTIES:
            raise refused(f"{name} is a script, and is not allowed here")


def is_secret(name: str) -> bool:
    """Whether the property's value must not be shown or recorded."""
    last = name.rpartition(".")[2]
    return last in SECRETS or (last.endswith("-key") and last != "public-key")


def hidden(row: Mapping[str, str]) -> dict[str, str]:
    """The row with its secrets masked."""
    return {name: "***" if value and is_secret(name) else value for name, value in row.items()}


def refused(message: str) -> ConnectorError:
    return ConnectorError(message, ErrorCode.REFUSED, nothing_changed=True)
