"""Who may do what: a token's claims against a runbook's Required Claims.

Every rule fails closed: what is not understood denies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.core.run import Origin, Requester

ADMIN_ROLE = "admin"


class Action(StrEnum):
    EXECUTE = "execute"
    VALIDATE = "validate"


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

    @property
    def is_admin(self) -> bool:
        return self.local or ADMIN_ROLE in claim_values(self.claims.get("roles"))

    def requester(self) -> Requester:
        return Requester(self.subject, self.origin, dict(self.claims), self.address)


LOCAL_PREFIX = "local:"
"""How the subject of a local operator's run begins: no token has spoken for it."""


def was_local(requester: Requester) -> bool:
    """Whether the person at the command line asked for a run, without any token."""
    without_token = not requester.claims and requester.subject.startswith(LOCAL_PREFIX)
    return requester.origin is Origin.CLI and without_token


@dataclass(frozen=True, slots=True)
class Requirement:
    """A claim that a token lacks: one of `wanted` is needed; `given` is None where it has none."""

    claim: str
    wanted: tuple[str, ...]
    given: tuple[str, ...] | None

    def __str__(self) -> str:
        if self.given is None:
            return f"{self.claim} (not present)"
        return f"{self.claim}={', '.join(self.given)} (required: {', '.join(self.wanted)})"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an action is allowed; `text` says which claims are missing where it is not.

    `unmet` says the same as `missing`, for programs; it is empty where the runbook's own claims
    cannot be understood.
    """

    allowed: bool
    text: str = ""
    missing: tuple[str, ...] = ()
    unmet: tuple[Requirement, ...] = ()


ALLOWED = Decision(allowed=True)


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


def authorize(
    principal: Principal,
    required: Mapping[str, tuple[str, ...]] | None,
    action: Action,
    *,
    known: bool = True,
) -> Decision:
    """Allowed only if every required claim has one of its allowed values in the token.

    `required` is None where the runbook restricts nobody. `known` is false where its Required
    Claims cannot be understood: nobody passes then, and so it is where they name no claim.
    """
    if principal.local:
        return ALLOWED
    if not known or (required is not None and not required):
        return _denied(action, ["the runbook's Required Claims section cannot be understood"])
    unmet = [
        _requirement(name, principal.claims.get(name), allowed)
        for name, allowed in (required or {}).items()
        if not set(claim_values(principal.claims.get(name))).intersection(allowed)
    ]
    return _denied(action, [str(one) for one in unmet], unmet) if unmet else ALLOWED


def _requirement(name: str, given: object, allowed: tuple[str, ...]) -> Requirement:
    return Requirement(name, tuple(allowed), None if given is None else claim_values(given))


def _denied(action: Action, missing: list[str], unmet: Iterable[Requirement] = ()) -> Decision:
    text = f"RBAC check failed for {action}. Missing or invalid claims: {', '.join(missing)}"
    return Decision(allowed=False, text=text, missing=tuple(missing), unmet=tuple(unmet))
