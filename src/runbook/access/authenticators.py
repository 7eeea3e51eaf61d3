"""Who is asking: a chain of authenticators, of which one makes the principal.

Each says that the credentials are not its own, or verifies them in full, or refuses them. Nothing
that is unverified decides more than who verifies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runbook.access.tokens import CallerTokens, RunTokens, public_claims
from runbook.core.access import Principal, roles_of
from runbook.core.permissions import SCRIPT_PERMISSIONS, RolePermissions
from runbook.core.run import Origin
from runbook.errors import AuthenticationError

MAX_TOKEN_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Credentials:
    """What came with a request, unverified. `bearer` is the token of its Authorization header."""

    bearer: str | None
    address: str | None

    @classmethod
    def of(cls, authorization: str | None, address: str | None) -> Credentials:
        """Raises AuthenticationError for a token that cannot be one, before it costs anything."""
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            return cls(None, address)
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            raise AuthenticationError("The token is not a JWT of at most 8 KiB.")
        return cls(token, address)


class Authenticator(Protocol):
    """One way to prove who one is."""

    def authenticate(self, credentials: Credentials) -> Principal | None:
        """The principal; None where the credentials are not of this authenticator's kind.

        Raises AuthenticationError where they are and do not hold.
        """


class Authenticators:
    """The chain. Built once per process; thread-safe."""

    def __init__(self, *members: Authenticator) -> None:
        self._members = members

    def authenticate(self, authorization: str | None, address: str | None) -> Principal:
        """The principal of an Authorization header.

        Raises AuthenticationError, or IdentityProviderUnavailableError where a key that decides
        cannot be fetched.
        """
        credentials = Credentials.of(authorization, address)
        for member in self._members:
            principal = member.authenticate(credentials)
            if principal is not None:
                return principal
        raise AuthenticationError("A bearer token is needed: Authorization: Bearer <token>.")


class RunTokenAuthenticator:
    """Takes the tokens that the engine has signed for running scripts.

    A script has its requester's grants, as far as scripts may have them.
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
    """Takes every bearer token that no authenticator before it has taken."""

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
