"""Keys that sign and verify tokens: stored in DATA_DIR, or published by an identity provider."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from runbook.access.refusals import Reason, refused
from runbook.errors import ConfigurationError, IdentityProviderUnavailableError

KEY_BYTES = 32
MAX_KEY_ID = 256
PROVIDER_SECONDS = 5


def stored_key(path: Path) -> bytes:
    """The key in `path`, created by the first call; safe if several processes start at once.

    Raises ConfigurationError if the file is damaged, or can't be read or created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _create_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The key {path} can't be used: {error.strerror}") from None
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"The key {path.name} in DATA_DIR is damaged. Restore or remove it"
        )
    return key


def _create_key(path: Path) -> None:
    """Write to a temporary file and link it into place, so no reader sees a partial key."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


class ProviderKeys:
    """The public keys of an identity provider, fetched from `url` and cached."""

    def __init__(self, url: str) -> None:
        import jwt  # slow: only when tokens are verified

        self._client = jwt.PyJWKClient(url, timeout=PROVIDER_SECONDS)

    def key(self, token: str) -> Any:
        """The key that the token's header names.

        Raises AuthenticationError, or IdentityProviderUnavailableError if the key is unknown and
        the provider can't be reached.
        """
        import jwt

        key_id = _header(token).get("kid")
        if not isinstance(key_id, str) or len(key_id) > MAX_KEY_ID:
            raise refused(Reason.KEY, "The token has no valid key ID (kid).")
        try:
            return self._client.get_signing_key(key_id).key
        except jwt.PyJWKClientConnectionError:
            raise IdentityProviderUnavailableError from None
        except (jwt.PyJWKError, jwt.PyJWKClientError, ValueError):
            raise refused(Reason.KEY, "The token's key is unknown.") from None


def _header(token: str) -> dict[str, Any]:
    import jwt

    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise refused(Reason.MALFORMED, "The token is not a JWT.") from None
