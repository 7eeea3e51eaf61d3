"""Why a token is refused. The reason is part of the API; the token itself is never shown."""

from __future__ import annotations

from enum import StrEnum

from runbook.errors import AuthenticationError


class Reason(StrEnum):
    """The `reason` of a refused token, in the problem and in the log."""

    MALFORMED = "malformed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    AUDIENCE = "audience"
    ISSUER = "issuer"
    SIGNATURE = "signature"
    ALGORITHM = "algorithm"
    KEY = "key"
    MISSING_CLAIM = "missing_claim"
    INVALID_CLAIM = "invalid_claim"
    NO_SECRET = "no_secret"  # noqa: S105 - not a password


def refused(reason: Reason, text: str, *, claim: str | None = None) -> AuthenticationError:
    """The error for a token that is refused; `claim` is the one that is missing or invalid."""
    details = {} if claim is None else {"claim": claim}
    return AuthenticationError(text, reason=reason.value, **details)
