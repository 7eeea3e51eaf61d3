"""Host keys of SSH servers: what a server showed at the first connection is expected ever after."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass

MAX_KEY_CHARACTERS = 3000
"""More than the longest key in use has, and short enough for a pipe."""
MAX_HOST_CHARACTERS = 255
_KEY_TYPE = re.compile(r"[a-z0-9][a-z0-9@.-]{0,63}")


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key as OpenSSH writes it: `ssh-ed25519 AAAA…`."""

    type: str
    base64: str

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: `SHA256:…`."""
        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def __str__(self) -> str:
        return f"{self.type} {self.base64}"


@dataclass(frozen=True, slots=True)
class HostKey:
    """The key of a server. `run_id` is the run that met it first; None if a check did."""

    address: HostAddress
    key: PublicKey
    first_seen: Millis
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class ShownKey:
    """The key that a server shows now, and the one that was expected before, if any."""

    address: HostAddress
    key: PublicKey
    before: PublicKey | None

    @property
    def is_changed(self) -> bool:
        return self.key != self.before

    def as_details(self) -> dict[str, str | None]:
        """For the audit trail."""
        return {
            "address": str(self.address),
            "before": self.before.fingerprint if self.before else None,
            "after": self.key.fingerprint,
        }


@dataclass(frozen=True, slots=True)
class Retrusted:
    """The keys that are trusted now; none if the servers couldn't be asked, or had others."""

    ok: bool
    code: str | None
    message: str
    host_keys: tuple[ShownKey, ...] = ()


def address_of(host: object, port: object) -> HostAddress | None:
    """None for what can't be an address. Names are the same in any case."""
    if not isinstance(host, str) or not 0 < len(host) <= MAX_HOST_CHARACTERS:
        return None
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        return None
    return HostAddress(host.lower(), port) if host.isprintable() and " " not in host else None


def read_address(text: str) -> HostAddress | None:
    """What `str` of an address wrote."""
    host, mark, port = text.rpartition(":")
    if not mark or not port.isascii() or not port.isdecimal():
        return None
    return address_of(host.removeprefix("[").removesuffix("]"), int(port))


def read_public_key(text: object) -> PublicKey | None:
    """The key in a line such as `ssh-ed25519 AAAA… comment`; None if there is none."""
    if not isinstance(text, str) or len(text) > MAX_KEY_CHARACTERS:
        return None
    parts = text.split()
    if len(parts) < 2 or not _KEY_TYPE.fullmatch(parts[0]):
        return None
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    size = int.from_bytes(blob[:4], "big")
    # A key begins with its type.
    fits = len(blob) > 4 + size and blob[4 : 4 + size] == parts[0].encode()
    return PublicKey(parts[0], base64.b64encode(blob).decode()) if fits else None
