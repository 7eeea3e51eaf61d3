"""Tokens: who is asking. Callers' tokens, dev-login's tokens and the tokens of running scripts.

Callers' tokens follow RFC 7519 and are signed by JWT_SECRET (HS) or by a key of JWT_JWKS_URL. A
script's token has its own issuer and its own key, kept in DATA_DIR, so that it cannot be mistaken
for a caller's and works the same where callers come by an identity provider.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from runbook.core.access import Principal
from runbook.core.run import Origin
from runbook.errors import (
    AuthenticationError,
    ConfigurationError,
    IdentityProviderUnavailableError,
    RequestError,
)
from runbook.settings import SYMMETRIC, Settings

MAX_TOKEN_BYTES = 8192
LEEWAY_SECONDS = 10
RUN_ISSUER = "runbook-engine"
RUN_AUDIENCE = "runbook-run"
RUN_ALGORITHM = "HS256"
REGISTERED = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "run_id"})
KEY_BYTES = 32
END_OF_TIME = 253_402_300_799
"""The last second of the year 9999."""


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A token and the second since the epoch at which it expires."""

    token: str
    expires_at: int


def stored_key(path: Path) -> bytes:
    """The key in `path`, made at the first call; safe when several processes begin at once.

    Raises ConfigurationError where the file is not what this function writes.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        _create_key(path)
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"{path.name} in DATA_DIR is damaged: restore or remove it")
    return key


def _create_key(path: Path) -> None:
    """Written aside and linked into place, so that no reader ever sees a part of it."""
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


class RunTokens:
    """Tokens of running scripts, signed by the engine's own key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mint(self, run_id: str, subject: str, claims: Mapping[str, object], ttl_s: float) -> str:
        """A token for the script of `run_id`, with the caller's claims, for `ttl_s` seconds."""
        now = int(time.time())
        kept = {name: value for name, value in claims.items() if name not in REGISTERED}
        return jwt.encode(
            kept
            | {
                "sub": subject,
                "iss": RUN_ISSUER,
                "aud": RUN_AUDIENCE,
                "iat": now,
                "exp": now + int(ttl_s) + 1,
                "run_id": run_id,
            },
            self._key,
            algorithm=RUN_ALGORITHM,
        )

    def verify(self, token: str) -> dict[str, Any]:
        claims = _decode(token, self._key, RUN_ALGORITHM, RUN_AUDIENCE, RUN_ISSUER)
        if not isinstance(claims.get("run_id"), str):
            raise AuthenticationError("The token names no run.")
        return claims


class Authenticator:
    """From a bearer token to a principal. Built once per process."""

    def __init__(self, settings: Settings, run_tokens: RunTokens) -> None:
        self._settings = settings
        self._run_tokens = run_tokens
        self._secret = _caller_secret(settings)
        self._jwks = (
            jwt.PyJWKClient(settings.jwt_jwks_url, timeout=5) if settings.jwt_jwks_url else None
        )

    def authenticate(self, authorization: str | None, address: str | None) -> Principal:
        """The principal of an Authorization header.

        Raises AuthenticationError, or IdentityProviderUnavailableError where the key that signed
        the token is unknown and the provider cannot be asked.
        """
        token = _bearer(authorization)
        if _unverified_issuer(token) == RUN_ISSUER:
            claims = self._run_tokens.verify(token)
            return Principal(
                claims["sub"], Origin.RUNBOOK, _public(claims), address, claims["run_id"]
            )
        claims = self._verify_caller(token)
        return Principal(claims["sub"], Origin.API, _public(claims), address)

    def mint(self, subject: str, claims: Mapping[str, object]) -> MintedToken:
        """A caller's token, as dev-login and `runbook token` give out.

        Raises ConfigurationError where callers' tokens are signed by an identity provider.
        """
        if self._secret is None:
            raise ConfigurationError(
                "Tokens come from the identity provider of JWT_JWKS_URL; none can be made here"
            )
        now = int(time.time())
        expires_at = now + self._settings.jwt_ttl_minutes * 60
        payload = dict(claims) | {
            "sub": subject,
            "iss": self._settings.jwt_issuer,
            "aud": self._settings.jwt_audience,
            "iat": now,
            "exp": expires_at,
        }
        token = jwt.encode(payload, self._secret, algorithm=self._settings.jwt_algorithm)
        return MintedToken(token, expires_at)

    def _verify_caller(self, token: str) -> dict[str, Any]:
        settings = self._settings
        key = self._secret if self._jwks is None else self._provider_key(token)
        if key is None:
            raise AuthenticationError("Tokens are not accepted: JWT_SECRET is not set.")
        return _decode(
            token, key, settings.jwt_algorithm, settings.jwt_audience, settings.jwt_issuer
        )

    def _provider_key(self, token: str) -> Any:
        assert self._jwks is not None  # noqa: S101 - the caller asked for it
        kid = _header(token).get("kid")
        if not isinstance(kid, str) or len(kid) > 256:
            raise AuthenticationError("The token names no usable key id.")
        try:
            return self._jwks.get_signing_key(kid).key
        except jwt.PyJWKClientConnectionError:
            raise IdentityProviderUnavailableError from None
        except (jwt.PyJWKError, jwt.PyJWKClientError, ValueError):
            raise AuthenticationError("The token's key is not known.") from None


def _caller_secret(settings: Settings) -> bytes | None:
    if settings.jwt_algorithm not in SYMMETRIC:
        return None
    secret = settings.jwt_secret.get_secret_value()
    if secret:
        return secret.encode()
    return stored_key(settings.data_dir / "keys" / "dev-login") if settings.enable_login else None


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise AuthenticationError("A bearer token is needed: Authorization: Bearer <token>.")
    # Refused before any parsing or cryptography: a giant token must cost nothing.
    if len(token) > MAX_TOKEN_BYTES or not token.isascii():
        raise AuthenticationError("The token is not a JWT of at most 8 KiB.")
    return token


def _header(token: str) -> dict[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise AuthenticationError("The token is not a JWT.") from None


def _unverified_issuer(token: str) -> object:
    """Only chooses which key verifies; the verification then checks it."""
    payload = _payload(token)
    return payload.get("iss") if isinstance(payload, dict) else None


def _payload(token: str) -> object:
    parts = token.split(".")
    if len(parts) != 3:
        raise AuthenticationError("The token is not a JWT.")
    try:
        data = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return json.loads(data, object_pairs_hook=_without_duplicates)
    except (binascii.Error, ValueError, RecursionError):
        raise AuthenticationError("The token is not a JWT.") from None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A claim given twice is read differently by different parsers: refuse it."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a claim stands twice")
    return value


def _decode(token: str, key: Any, algorithm: str, audience: str, issuer: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "sub", "iss", "aud"]},
        )
    except jwt.ExpiredSignatureError:
        raise AuthenticationError("The token has expired: sign in again.") from None
    except jwt.MissingRequiredClaimError as error:
        raise AuthenticationError(f"The token lacks the claim {error.claim}.") from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
        raise AuthenticationError("The token is not valid.") from None
    _check_types(claims)
    return claims


def _check_types(claims: Mapping[str, Any]) -> None:
    """What PyJWT accepts and we do not: numeric dates as text, an empty or foreign subject."""
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name, 0)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= END_OF_TIME:
            raise AuthenticationError(f"The token's {name} is not a time.")
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject.strip() or len(subject) > 256:
        raise AuthenticationError("The token's sub is not a name of at most 256 characters.")


def _public(claims: Mapping[str, Any]) -> dict[str, object]:
    """The claims that rules may look at; the run's id travels beside them."""
    return {name: value for name, value in claims.items() if name not in REGISTERED}


def dev_login(authenticator: Authenticator, subject: object, roles: object) -> MintedToken:
    """A token for whoever asks. Raises RequestError for wrong types."""
    if not isinstance(subject, str) or not 0 < len(subject) <= 256:
        raise RequestError("subject must be a text of 1 to 256 characters")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise RequestError("roles must be a list of texts")
    return authenticator.mint(subject, {"roles": roles})
