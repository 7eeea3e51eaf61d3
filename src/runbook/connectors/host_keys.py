"""Which host keys SSH servers must show.

A run asks its engine, which keeps the key that a server shows at the first connection. A check of a
connection gets the known keys, and collects those that it meets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runbook.core.ssh.host_key import HostAddress, PublicKey, read_public_key
from runbook.script import commands, effects

PIPE = "RUNBOOK_EFFECTS"


class HostKeys(Protocol):
    def expected(self, address: HostAddress) -> PublicKey | None:
        """The key to expect; None if the server hasn't been met."""
        ...

    def meet(self, address: HostAddress, key: PublicKey) -> PublicKey:
        """A server that hasn't been met shows this key. Returns the one to expect."""
        ...


class HostKeysOfRun:
    """Those that the engine of this run knows."""

    def expected(self, address: HostAddress) -> PublicKey | None:
        pipe = commands.variable(PIPE)
        return read_public_key(effects.expected_host_key(pipe, address.host, address.port))

    def meet(self, address: HostAddress, key: PublicKey) -> PublicKey:
        pipe = commands.variable(PIPE)
        found = effects.expected_host_key(pipe, address.host, address.port, str(key))
        return read_public_key(found) or key


@dataclass
class CollectedHostKeys:
    """Some known keys, by address, and those that were met."""

    known: Mapping[str, str]
    met: dict[str, str] = field(default_factory=dict)

    def expected(self, address: HostAddress) -> PublicKey | None:
        return read_public_key(self.met.get(str(address)) or self.known.get(str(address)))

    def meet(self, address: HostAddress, key: PublicKey) -> PublicKey:
        self.met[str(address)] = str(key)
        return key
