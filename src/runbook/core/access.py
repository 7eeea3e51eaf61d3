"""Authorization: a principal's grants and claims against the required permission and claims.

Every rule fails closed: if something can't be parsed, access is denied.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import ClassVar

from runbook.core.claims import claim_values
from runbook.core.permissions import NO_GRANTS, Grants, Permission
from runbook.core.run import Origin, Requester
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `run_id` is set if the caller is a script using its run's token.

    `local` marks the person at this machine's command line, who can read the files and the database
    anyway: required claims apply to this caller only with ENFORCE_CLAIMS on.
    """

    subject: str
    origin: Origin
    claims: Mapping[str, object] = field(default_factory=dict)
    address: str | None = None
    run_id: str | None = None
    local: bool = False
    grants: Grants = NO_GRANTS

    @property
    def access_key(self) -> tuple[object, ...]:
        """Everything that determines access to runbooks; a cache key for such decisions."""
        claims = json.dumps(dict(self.claims), sort_keys=True, default=str)
        return claims, self.grants, self.local

    def requester(self) -> Requester:
        return Requester(self.subject, self.origin, dict(self.claims), self.address)


LOCAL_PREFIX = "local:"
"""Prefix of the subject of a local operator, who has no token."""


def was_local(requester: Requester) -> bool:
    """Whether a run was requested from the command line, without a token."""
    without_token = not requester.claims and requester.subject.startswith(LOCAL_PREFIX)
    return requester.origin is Origin.CLI and without_token


@dataclass(frozen=True, slots=True)
class MissingPermission:
    """`ref` is the runbook the permission is missing for; None if it is missing for all."""

    permission: Permission
    ref: str | None = None
    code: ClassVar[str] = "permission"

    def __str__(self) -> str:
        target = "" if self.ref is None else f" for {self.ref}"
        return f"missing permission {self.permission}{target}"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A claim that a token lacks. Any value in `wanted` is accepted; `given` is None if absent."""

    claim: str
    wanted: tuple[str, ...]
    given: tuple[str, ...] | None
    code: ClassVar[str] = "claim"

    def __str__(self) -> str:
        if self.given is None:
            return f"{self.claim} (not present)"
        return f"{self.claim}={', '.join(self.given)} (required: {', '.join(self.wanted)})"


@dataclass(frozen=True, slots=True)
class UnreadableClaims:
    """The runbook's Required Claims section is invalid, so access is denied to everyone."""

    code: ClassVar[str] = "required_claims_unreadable"

    def __str__(self) -> str:
        return "the runbook's Required Claims section is invalid"


@dataclass(frozen=True, slots=True)
class ForeignRun:
    """The run was requested by someone else, or lies outside the tree of a script's own run."""

    code: ClassVar[str] = "run_ownership"

    def __str__(self) -> str:
        return "you can only access your own runs"


Missing = MissingPermission | Requirement | UnreadableClaims | ForeignRun
"""One missing requirement: `code` and fields for programs, `str()` for people."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of an access check, with everything that is missing if it was denied."""

    permission: Permission
    missing: tuple[Missing, ...] = ()

    @property
    def allowed(self) -> bool:
        return not self.missing

    @property
    def unmet(self) -> tuple[Requirement, ...]:
        """The claims that are missing."""
        return tuple(one for one in self.missing if isinstance(one, Requirement))

    @property
    def text(self) -> str:
        """A sentence that lists what is missing; empty if allowed."""
        if self.allowed:
            return ""
        lacking = ", ".join(map(str, self.missing))
        if isinstance(self.missing[0], Requirement | UnreadableClaims):
            action = self.permission.rpartition(".")[2]
            return f"RBAC check failed for {action}. Missing or invalid claims: {lacking}"
        return f"Access denied: {lacking}."


def missing_json(decision: Decision) -> list[dict[str, object]]:
    """What is missing, as JSON: a code, its fields and a text."""
    return [
        {"code": one.code, **dataclasses.asdict(one), "text": str(one)} for one in decision.missing
    ]


def permitted(principal: Principal, permission: Permission, ref: str | None = None) -> Decision:
    """Check the grants for one runbook, or without `ref`, for any runbook at all."""
    if principal.grants.allow(permission, ref):
        return Decision(permission)
    nowhere = not principal.grants.allow(permission)
    return Decision(permission, (MissingPermission(permission, None if nowhere else ref),))


def authorize(
    principal: Principal,
    required: Mapping[str, tuple[str, ...]] | None,
    permission: Permission,
    *,
    known: bool = True,
) -> Decision:
    """Allow only if the token has an allowed value for every required claim.

    `required` is None if the runbook has no Required Claims section. `known` is false if that
    section is invalid. Access is denied then, and also if the section lists no claims.
    """
    if principal.local:
        return Decision(permission)
    if not known or (required is not None and not required):
        return Decision(permission, (UnreadableClaims(),))
    return Decision(permission, tuple(_unmet(principal.claims, required or {})))


def _unmet(
    claims: Mapping[str, object], required: Mapping[str, tuple[str, ...]]
) -> Sequence[Requirement]:
    return [
        _requirement(name, claims.get(name), allowed)
        for name, allowed in required.items()
        if not set(claim_values(claims.get(name))).intersection(allowed)
    ]


def _requirement(name: str, given: object, allowed: tuple[str, ...]) -> Requirement:
    return Requirement(name, tuple(allowed), None if given is None else claim_values(given))
