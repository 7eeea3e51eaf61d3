"""Authentication: a chain of authenticators, one of which returns the principal.

Each authenticator passes on credentials of another kind, and fully verifies or refuses its own.
Unverified content only decides which authenticator verifies it.
"""

from __future__ import annotations

from typing import Protocol

from runbook.access.refusals import Reason, refused
from runbook.access.tokens import CallerTokens, RunTokens, public_claims
from runbook.core.access import Principal
from runbook.core.claims import roles_of
from runbook.core.permissions import SCRIPT_PERMISSIONS, RolePermissions
from runbook.core.run import Origin
from runbook.core.storable import is_storable
from runbook.errors import AuthenticationError
from runbook.quick_dataclass import dataclass

MAX_TOKEN_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Credentials:
    """Unverified credentials of a request. `bearer` is the token of its Authorization header."""

    bearer: str | None
    address: str | None

    @classmethod
    def of(cls, authorization: str | None, address: str | None) -> Credentials:
        """Raises AuthenticationError for malformed tokens, before any costly check."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return cls(None, address)
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise refused(Reason.MALFORMED, "The token must be a JWT of at most 8 KiB.")
        return cls(token, address)


class Authenticator(Protocol):
    """One way to authenticate."""

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The principal, or None for credentials of another kind.

        Raises AuthenticationError for invalid credentials of this kind.
        """


class Authenticators:
    """The chain of authenticators. Built once per process; thread-safe."""

    def __init__(self, *members: Authenticator) -> None:
        self._members = members

    def authenticate(self, authorization: str | None, address: str | None) -> Principal:
        """The principal of an Authorization header.

        Raises AuthenticationError, or IdentityProviderUnavailableError if a required key can't be
        fetched.
        """
        credentials = Credentials.of(authorization, address)
        for member in self._members:
            principal = member.authenticate(credentials)
            if principal is not None:
                return _storable(principal)
        raise AuthenticationError


def _storable(principal: Principal) -> Principal:
    """Raises AuthenticationError for claims that no run can be recorded with."""
    if not is_storable([principal.subject, principal.claims]):
        raise AuthenticationError(
            "The token's claims contain characters that can't be stored: NUL or lone surrogates."
        )
    return principal


class RunTokenAuthenticator:
    """Authenticates running scripts by the tokens that the engine signed for them.

    A script has its requester's grants, limited to those that scripts may have.
    """

    def __init__(self, tokens: RunTokens, roles: RolePermissions) -> None:
        self._tokens = tokens
        self._roles = roles

    def authenticate(self, credentials: Credentials) -> Principal | None:
        claims = self._tokens.verify(credentials.bearer) if credentials.bearer else None
        if claims is None:
            return None
        public = public_claims(claims)
        return Principal(
            claims["sub"],
            Origin.RUNBOOK,
            public,
            credentials.address,
            claims["run_id"],
            grants=self._roles.grants(roles_of(public)).limited_to(SCRIPT_PERMISSIONS),
        )


class CallerTokenAuthenticator:
    """Authenticates callers by bearer token. Must be last: it takes every token."""

    def __init__(self, tokens: CallerTokens, roles: RolePermissions) -> None:
        self._tokens = tokens
        self._roles = roles

    def authenticate(self, credentials: Credentials) -> Principal | None:
        if credentials.bearer is None:
            return None
        claims = self._tokens.verify(credentials.bearer)
        public = public_claims(claims)
        grants = self._roles.grants(roles_of(public))
        return Principal(claims["sub"], Origin.API, public, credentials.address, grants=grants)
