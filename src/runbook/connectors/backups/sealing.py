"""Encrypts binary backups, which hold passwords and keys. The key is not in the repository."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runbook.errors import RunbookError

MAGIC = b"RBSB1\n"
KEY_BYTES = 32
NONCE_BYTES = 12


class DamagedError(RunbookError):
    """A stored backup can't be used as it is."""

    code = "backup_damaged"
    exit_code = 74


class Sealer:
    """AES-256-GCM. The device's name is authenticated: a backup can't pass for another device's."""

    def __init__(self, key: bytes) -> None:
        self._cipher, self._key = AESGCM(key), key

    def seal(self, content: bytes, device: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return MAGIC + nonce + self._cipher.encrypt(nonce, content, device.encode())

    def open(self, sealed: bytes, device: str) -> bytes:
        """Raises DamagedError."""
        start = len(MAGIC) + NONCE_BYTES
        if not sealed.startswith(MAGIC) or len(sealed) < start:
            raise DamagedError(f"The binary backup of {device} is not one of this store")
        nonce, data = sealed[len(MAGIC) : start], sealed[start:]
        try:
            return self._cipher.decrypt(nonce, data, device.encode())
        except InvalidTag:
            raise DamagedError(
                f"The binary backup of {device} is damaged, or encrypted with another key"
            ) from None

    def fingerprint(self, text: str) -> str:
        """Tells texts with secrets apart, and can't be computed without the key."""
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def stored_key(path: Path) -> bytes:
    """The key in a file, which the first call makes: whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        new = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(new, path)
        except FileExistsError:
            pass  # another process was faster
        finally:
            new.unlink()
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise DamagedError(f"{path} is not a key of {KEY_BYTES} bytes")
    return key
