"""Who may do what: a principal's grants and claims against what is asked of it.

Every rule fails closed: what is not understood denies.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from runbook.core.permissions import NO_GRANTS, Grants, Permission
from runbook.core.run import Origin, Requester


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. `run_id` is set where the caller is a script using its run's token.

    `local` marks the person at the command line of this machine, who reads the files and the
    store anyway: claims do not bind such a caller unless ENFORCE_CLAIMS is on.
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
        """All that decides what it may do with runbooks; caches of such answers are keyed by it."""
        claims = json.dumps(dict(self.claims), sort_keys=True, default=str)
        return claims, self.grants, self.local

    def requester(self) -> Requester:
        return Requester(self.subject, self.origin, dict(self.claims), self.address)


LOCAL_PREFIX = "local:"
"""How the subject of a local operator's run begins: no token has spoken for it."""


def was_local(requester: Requester) -> bool:
    """Whether the person at the command line asked for a run, without any token."""
    without_token = not requester.claims and requester.subject.startswith(LOCAL_PREFIX)
    return requester.origin is Origin.CLI and without_token


@dataclass(frozen=True, slots=True)
class MissingPermission:
    """`ref` is the runbook that it is lacking for; None where it is lacking for everything."""

    permission: Permission
    ref: str | None = None
    code: ClassVar[str] = "permission"

    def __str__(self) -> str:
        where = "" if self.ref is None else f" for {self.ref}"
        return f"the permission {self.permission}{where} is missing"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A claim that a token lacks: one of `wanted` is needed; `given` is None where it has none."""

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
    """The runbook's own Required Claims cannot be understood: nobody has them."""

    code: ClassVar[str] = "required_claims_unreadable"

    def __str__(self) -> str:
        return "the runbook's Required Claims section cannot be understood"


@dataclass(frozen=True, slots=True)
class ForeignRun:
    """The run was requested by someone else, or lies outside the tree of a script's own run."""

    code: ClassVar[str] = "run_ownership"

    def __str__(self) -> str:
        return "the run is not yours to see"


Missing = MissingPermission | Requirement | UnreadableClaims | ForeignRun
"""One thing that a principal lacks: `code` and fields for programs, its text for people."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is allowed, and all that is missing where it is not."""

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
        """What is missing, in a sentence; empty where it is allowed."""
        if self.allowed:
            return ""
        lacking = ", ".join(map(str, self.missing))
        if isinstance(self.missing[0], Requirement | UnreadableClaims):
            action = self.permission.rpartition(".")[2]
            return f"RBAC check failed for {action}. Missing or invalid claims: {lacking}"
        return f"This is not allowed: {lacking}."


def missing_json(decision: Decision) -> list[dict[str, object]]:
    """What is missing, for programs: a code, its fields, and a text."""
    return [
        {"code": one.code, **dataclasses.asdict(one), "text": str(one)} for one in decision.missing
    ]


def claim_values(value: object) -> tuple[str, ...]:
    """The values that a token asserts for one claim: a list of strings or a comma string.

    Numbers and booleans count as their JSON text; anything nested counts for nothing.
    """
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, int | float):
        return (str(value),)
    if isinstance(value, list | tuple):
        return tuple(item.strip() for item in value if isinstance(item, str) and item.strip())
    return ()


def roles_of(claims: Mapping[str, object]) -> tuple[str, ...]:
    return claim_values(claims.get("roles"))


def permitted(principal: Principal, permission: Permission, ref: str | None = None) -> Decision:
    """Whether the grants allow it: for this runbook, or without one, for anything at all."""
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
    """Allowed only if every required claim has one of its allowed values in the token.

    `required` is None where the runbook restricts nobody. `known` is false where its Required
    Claims cannot be understood: nobody passes then, and so it is where they name no claim.
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
