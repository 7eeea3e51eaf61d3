"""Who gives a command, and by which way it came."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from runbook.lab.routeros.errors import DeniedError

FULL = frozenset(
    {
        "local", "telnet", "ssh", "ftp", "reboot", "read", "write", "policy", "test", "winbox",
        "password", "web", "sniff", "sensitive", "api", "romon", "rest-api", "dude", "tikapp",
    }
)  # fmt: skip


@dataclass
class Session:
    user: str = "admin"
    policies: frozenset[str] = FULL
    via: str = "api"
    address: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)
    values: dict[str, object] = field(default_factory=dict)
    """Global variables of the console."""

    def need(self, *policies: str) -> None:
        if not self.policies.issuperset(policies):
            raise DeniedError


@dataclass
class Active:
    """A session as `/user active` shows it."""

    session: Session
    since: str
