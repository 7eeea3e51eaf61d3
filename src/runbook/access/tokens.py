"""Issues and verifies the tokens of callers and of running scripts.

Callers' tokens follow RFC 7519 and are signed with JWT_SECRET (HS) or a key of JWT_JWKS_URL. A
script's token has its own issuer and its own key in DATA_DIR, so it can't be mistaken for a
caller's token and doesn't depend on an identity provider.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
from jwt.types import Options

from runbook.access.keys import ProviderKeys, stored_key
from runbook.access.minting import (
    REGISTERED,
    RUN_ALGORITHM,
    RUN_AUDIENCE,
    RUN_ISSUER,
    has_signed,
    mint_run_token,
)
from runbook.access.refusals import Reason, refused
from runbook.access.remembered import LEEWAY_SECONDS, RememberedTokens
from runbook.core.storable import is_storable
from runbook.errors import AuthenticationError, ConfigurationError, RequestError
from runbook.quick_dataclass import dataclass
from runbook.settings import Settings
from runbook.settings_checks import SYMMETRIC

END_OF_TIME = 253_402_300_799
"""The last second of the year 9999."""


@dataclass(frozen=True, slots=True)
class MintedToken:
    """A token and when it expires, in seconds since the epoch."""

    token: str
    expires_at: int


class RunTokens:
    """Tokens of running scripts, signed with the engine's own key.

    They have no expiry: the end of the run makes them invalid (see Authorizer.calling_run), however
    the clock jumps in between.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def mint(self, run_id: str, subject: str, claims: Mapping[str, object]) -> str:
        """A token for the script of run `run_id`, with the caller's claims."""
        return mint_run_token(self._key, run_id, subject, claims)

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of a token, or None if this key didn't sign it.

        Raises AuthenticationError if this key signed it but it is no longer valid.
        """
        if not has_signed(self._key, token):
            return None
        claims = _decode(token, self._key, RUN_ALGORITHM, RUN_AUDIENCE, RUN_ISSUER, timed=False)
        if not isinstance(claims.get("run_id"), str):
            raise refused(Reason.MISSING_CLAIM, "The token has no run ID.", claim="run_id")
        return claims


class CallerTokens:
    """Tokens of callers, signed according to the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret = _caller_secret(settings)
        self._provider = ProviderKeys(settings.jwt_jwks_url) if settings.jwt_jwks_url else None
        self._remembered = RememberedTokens()

    def mint(self, subject: str, claims: Mapping[str, object]) -> MintedToken:
        """A caller's token, for dev-login and `runbook token`.

        Raises ConfigurationError if an identity provider signs callers' tokens.
        """
        if self._secret is None:
            raise ConfigurationError(
                "JWT_JWKS_URL is set, so only the identity provider issues tokens"
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

    def verify(self, token: str) -> dict[str, Any]:
        """The claims of a token.

        Raises AuthenticationError, or IdentityProviderUnavailableError if the signing key is
        unknown and the provider can't be reached.
        """
        if self._provider is not None:  # its keys may change at any time
            return self._verified(token)
        claims = self._remembered.get(token)
        if claims is None:
            claims = self._verified(token)
            self._remembered.add(token, claims)
        return dict(claims)

    def _verified(self, token: str) -> dict[str, Any]:
        _check_form(token)
        settings = self._settings
        key = self._secret if self._provider is None else self._provider.key(token)
        if key is None:
            raise refused(
                Reason.NO_SECRET, "The server can't verify tokens because JWT_SECRET is not set."
            )
        return _decode(
            token, key, settings.jwt_algorithm, settings.jwt_audience, settings.jwt_issuer
        )


def _caller_secret(settings: Settings) -> bytes | None:
    if settings.jwt_algorithm not in SYMMETRIC:
        return None
    secret = settings.jwt_secret.get_secret_value()
    if secret:
        return secret.encode()
    return stored_key(settings.data_dir / "keys" / "dev-login") if settings.enable_login else None


def _check_form(token: str) -> None:
    """Raises AuthenticationError if the payload is not JSON or has duplicate claims."""
    parts = token.split(".")
    if len(parts) != 3:
        raise refused(Reason.MALFORMED, "The token is not a JWT.")
    try:
        data = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        json.loads(data, object_pairs_hook=_without_duplicates)
    except (binascii.Error, ValueError, RecursionError):
        raise refused(Reason.MALFORMED, "The token is not a JWT.") from None


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse duplicate claims: parsers differ in which one they use."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate claim")
    return value


def _decode(
    token: str, key: Any, algorithm: str, audience: str, issuer: str, *, timed: bool = True
) -> dict[str, Any]:
    """The claims of a valid token. Without `timed`, the clock doesn't matter."""
    options: Options = {
        "require": ["sub", "iss", "aud", *(["exp"] if timed else [])],
        "verify_exp": timed,
        "verify_nbf": timed,
        "verify_iat": timed,
    }
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options=options,
        )
    except jwt.MissingRequiredClaimError as error:
        text = f"The token has no {error.claim} claim."
        raise refused(Reason.MISSING_CLAIM, text, claim=error.claim) from None
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _refusal(error) from None
    _check_types(claims)
    return claims


@dataclass(frozen=True, slots=True)
class _Cause:
    """What PyJWT raises for a reason, and how to say it."""

    kind: type[jwt.PyJWTError]
    reason: Reason
    text: str


# The first that matches: subclasses come before their bases.
_CAUSES = (
    _Cause(jwt.ExpiredSignatureError, Reason.EXPIRED, "The token has expired. Sign in again."),
    _Cause(
        jwt.ImmatureSignatureError,
        Reason.NOT_YET_VALID,
        "The token is not valid yet. Check the clocks of the server and of the issuer.",
    ),
    _Cause(
        jwt.InvalidAudienceError,
        Reason.AUDIENCE,
        "The token is for another audience: its aud claim doesn't match JWT_AUDIENCE.",
    ),
    _Cause(
        jwt.InvalidIssuerError,
        Reason.ISSUER,
        "The token is from another issuer: its iss claim doesn't match JWT_ISSUER.",
    ),
    _Cause(
        jwt.InvalidAlgorithmError,
        Reason.ALGORITHM,
        "The token's algorithm (alg) doesn't match JWT_ALGORITHM.",
    ),
    _Cause(
        jwt.InvalidSignatureError,
        Reason.SIGNATURE,
        "The token's signature is invalid: it was signed with another key.",
    ),
    _Cause(jwt.InvalidKeyError, Reason.KEY, "The token's key is unknown."),
    _Cause(jwt.DecodeError, Reason.MALFORMED, "The token is not a JWT."),
)


def _refusal(error: Exception) -> AuthenticationError:
    for cause in _CAUSES:
        if isinstance(error, cause.kind):
            return refused(cause.reason, cause.text)
    return refused(Reason.INVALID_CLAIM, "The token is invalid.")


def _check_types(claims: Mapping[str, Any]) -> None:
    """Refuse what PyJWT accepts: numeric dates as text, and subjects that are empty or no text."""
    for name in ("exp", "nbf", "iat"):
        value = claims.get(name, 0)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= END_OF_TIME:
            text = f"The token's {name} claim is not a valid time."
            raise refused(Reason.INVALID_CLAIM, text, claim=name)
    subject = claims["sub"]
    if not isinstance(subject, str) or not subject.strip() or len(subject) > 256:
        text = "The token's sub claim must be a string of 1 to 256 characters."
        raise refused(Reason.INVALID_CLAIM, text, claim="sub")


def standard_claims(authorization: str) -> dict[str, object]:
    """The registered claims of a token that was verified before: issuer, audience and times."""
    token = authorization.partition(" ")[2].strip()
    claims = jwt.decode(token, options={"verify_signature": False})
    return {name: value for name, value in claims.items() if name in REGISTERED}


def public_claims(claims: Mapping[str, Any]) -> dict[str, object]:
    """The claims that access rules may use: all but the registered ones and the run ID."""
    return {name: value for name, value in claims.items() if name not in REGISTERED}


def dev_login(tokens: CallerTokens, subject: object, roles: object) -> MintedToken:
    """Issue a development token. Raises RequestError for wrong types."""
    if not isinstance(subject, str) or not 0 < len(subject) <= 256:
        raise RequestError("subject must be a string of 1 to 256 characters")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise RequestError("roles must be a list of strings")
    if not is_storable([subject, roles]):
        raise RequestError("subject and roles must not contain NUL or lone surrogates")
    return tokens.mint(subject, {"roles": roles})
