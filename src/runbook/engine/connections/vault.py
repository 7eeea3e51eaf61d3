"""Encrypts the secrets of connections, with keys outside the database.

The key in use is the file `connections` in DATA_DIR/keys. While secrets are encrypted again, the
new key is in `connections.next`; afterwards, the one before stays in `connections.previous` until
the next time, for processes that have just read it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runbook.core.connection import Sealed
from runbook.engine.sealing import NONCE_BYTES
from runbook.errors import StoreUnavailableError
from runbook.quick_dataclass import dataclass

CURRENT = "connections"
NEXT = "connections.next"
PREVIOUS = "connections.previous"

Secrets = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    value: bytes


class Vault:
    """Thread-safe. `read_key` returns the key in a file, which it makes if it is absent."""

    def __init__(self, folder: Path, read_key: Callable[[Path], bytes]) -> None:
        self._folder = folder
        self._read_key = read_key
        self._lock = threading.Lock()
        self._known: dict[str, _Key] = {}

    def seal(self, name: str, secrets: Secrets) -> Sealed:
        """The secrets of the connection `name`, encrypted with the key in use now.

        Its name is part of what is authenticated: they can't be moved to another connection.
        """
        return _sealed(self._read(CURRENT), name, secrets)

    def open(self, name: str, sealed: Sealed | None) -> dict[str, str]:
        """Raises StoreUnavailableError if no key fits, or if they are damaged."""
        if sealed is None:
            return {}
        nonce, data = sealed.data[:NONCE_BYTES], sealed.data[NONCE_BYTES:]
        try:
            key = self._find(sealed.key_id)
            plain = json.loads(AESGCM(key.value).decrypt(nonce, data, _bound_to(name)))
        except (InvalidTag, ValueError, LookupError):
            raise StoreUnavailableError(
                f"The secrets of the connection {name} can't be decrypted: the key that sealed "
                f"them isn't in DATA_DIR/keys, or they are damaged. Restore the key, or set the "
                "secrets again"
            ) from None
        return {str(field): str(value) for field, value in plain.items()}

    @contextmanager
    def renewing(self, in_use: Callable[[], Collection[str]]) -> Iterator[Renewal]:
        """Encrypt everything again in this block; then the new key is the one in use.

        One process at a time. `in_use` returns the IDs of the keys in the database. If the block
        raises, its key stays until the next time, as the database may use it already.
        """
        with _locked(self._folder):
            if self._has(NEXT):
                self._settle(in_use())
            yield Renewal(self, self._read(NEXT))
            self._promote()

    def _settle(self, in_use: Collection[str]) -> None:
        """Finish what an earlier process left undone."""
        if self._read(NEXT).id in in_use:
            self._promote()
        else:
            (self._folder / NEXT).unlink()

    def _promote(self) -> None:
        """Make the next key the current one. At each moment, every key is in some file."""
        current, previous = self._folder / CURRENT, self._folder / PREVIOUS
        if current.exists():
            previous.unlink(missing_ok=True)
            os.link(current, previous)
        (self._folder / NEXT).replace(current)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _has(self, name: str) -> bool:
        return (self._folder / name).exists()

    def _find(self, key_id: str) -> _Key:
        """Of the keys seen so far or in the folder. Raises LookupError."""
        if key_id not in self._known:
            for name in (CURRENT, NEXT, PREVIOUS):
                if self._has(name):
                    self._read(name)
        return self._known[key_id]

    def _read(self, name: str) -> _Key:
        value = self._read_key(self._folder / name)
        key = _Key(hashlib.sha256(b"key of connections" + value).hexdigest()[:16], value)
        with self._lock:
            self._known[key.id] = key
        return key


class Renewal:
    """Encrypts secrets again with a new key."""

    def __init__(self, vault: Vault, key: _Key) -> None:
        self._vault = vault
        self._key = key

    @property
    def key_id(self) -> str:
        return self._key.id

    def again(self, name: str, sealed: Sealed) -> Sealed:
        """Raises StoreUnavailableError if the secrets can't be decrypted."""
        return _sealed(self._key, name, self._vault.open(name, sealed))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out. The lock of a process that dies is free."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sealed(key: _Key, name: str, secrets: Secrets) -> Sealed:
    nonce = os.urandom(NONCE_BYTES)
    plain = json.dumps(dict(secrets)).encode()
    return Sealed(key.id, nonce + AESGCM(key.value).encrypt(nonce, plain, _bound_to(name)))


def _bound_to(name: str) -> bytes:
    return f"connection:{name}".encode()
