"""The audit trail: administrative actions and refused access, chained like the history.

Each event carries the digest of the one before it. A digest is the SHA-256 of the event as
canonical JSON (sorted keys, no spaces, UTF-8) without the digest itself, so anyone can recompute it
from the output of `runbook audit --json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from enum import StrEnum

from runbook.core.access import Decision, Principal, missing_json
from runbook.core.run import Origin, Run
from runbook.core.times import Millis, iso
from runbook.quick_dataclass import dataclass

FIRST_PREVIOUS = "0" * 64
"""The previous digest of the first event."""

MOST_PROBLEMS = 20
"""How many problems a verification lists."""

Details = Mapping[str, object]


class AuditAction(StrEnum):
    """An audited action."""

    RUN_CANCEL = "run.cancel"
    RUN_RETRY = "run.retry"
    RUN_RESUME = "run.resume"
    RUN_UNDO = "run.undo"
    RUN_RECOVER = "run.recover"
    RUN_PAUSE = "run.pause"
    RUN_CONTINUE = "run.continue"
    RUNS_PURGE = "runs.purge"
    AUDIT_PURGE = "audit.purge"
    SERVER_SHUTDOWN = "server.shutdown"
    SETTINGS_CHANGE = "settings.change"
    KEY_CHANGE = "key.change"
    HISTORY_ADOPT = "history.adopt"
    TOOLKIT_INSTALL = "toolkit.install"
    TOOLKIT_ENABLE = "toolkit.enable"
    TOOLKIT_DISABLE = "toolkit.disable"
    TOOLKIT_ROLLBACK = "toolkit.rollback"
    TOOLKIT_REMOVE = "toolkit.remove"
    CONNECTION_ADD = "connection.add"
    CONNECTION_EDIT = "connection.edit"
    CONNECTION_REMOVE = "connection.remove"
    CONNECTION_CHECK = "connection.check"
    CONNECTION_RETRUST = "connection.retrust"
    CONNECTIONS_RESEAL = "connections.reseal"
    DEVICE_ADD = "device.add"
    DEVICE_EDIT = "device.edit"
    DEVICE_REMOVE = "device.remove"
    INVENTORY_IMPORT = "inventory.import"
    INVENTORY_REPORT = "inventory.report"
    ACCESS_REFUSED = "access.refused"


class TargetKind(StrEnum):
    """The kind of object an event is about."""

    RUN = "run"
    RUNBOOK = "runbook"
    SERVER = "server"
    SETTINGS = "settings"
    KEY = "key"
    STORE = "store"
    TOOLKIT = "toolkit"
    CONNECTION = "connection"
    DEVICE = "device"
    INVENTORY = "inventory"


@dataclass(frozen=True, slots=True)
class Target:
    """The object of an event: a run's ID, a runbook's ref or a key's name."""

    kind: TargetKind
    name: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acted: a token's subject, or `system` for the engine."""

    subject: str
    origin: Origin | None = None
    address: str | None = None


SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class NewAuditEvent:
    """An event not yet in the chain. `details` holds JSON without secrets."""

    actor: Actor
    action: AuditAction
    target: Target
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An event in the chain. `n` counts from 1 without gaps; `at` is in ms since the epoch.

    Actions, origins and kinds are stored as text, so that an older version can show and verify
    events written by a newer one.
    """

    n: int
    at: Millis
    subject: str
    origin: str | None
    address: str | None
    action: str
    target_kind: str
    target: str
    details: Details
    previous: str
    digest: str


class AuditFault(StrEnum):
    """What is wrong at an event."""

    CHANGED = "changed"
    MISSING = "missing"
    UNLINKED = "unlinked"


@dataclass(frozen=True, slots=True)
class AuditProblem:
    n: int
    fault: AuditFault


@dataclass(frozen=True, slots=True)
class AuditVerification:
    """`last` is the last event's number and digest, to compare with a copy stored elsewhere."""

    events: int
    last: tuple[int, str] | None
    problems: tuple[AuditProblem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def actor_of(principal: Principal) -> Actor:
    return Actor(principal.subject, principal.origin, principal.address)


def run_event(action: AuditAction, run: Run, principal: Principal) -> NewAuditEvent:
    """The event for a principal's action on a run."""
    about = {"runbook": run.runbook.ref}
    return NewAuditEvent(actor_of(principal), action, Target(TargetKind.RUN, run.id), about)


def refusal_event(principal: Principal, decision: Decision, target: Target) -> NewAuditEvent:
    """The event for a denied request, with what the principal lacks."""
    details = {"permission": decision.permission.value, "missing": missing_json(decision)}
    return NewAuditEvent(actor_of(principal), AuditAction.ACCESS_REFUSED, target, details)


def linked(new: NewAuditEvent, n: int, at: Millis, previous: str) -> AuditEvent:
    """The event with its position in the chain and its digest."""
    actor = new.actor
    event = AuditEvent(
        n=n,
        at=at,
        subject=actor.subject,
        origin=None if actor.origin is None else actor.origin.value,
        address=actor.address,
        action=new.action.value,
        target_kind=new.target.kind.value,
        target=new.target.name,
        details=new.details,
        previous=previous,
        digest="",
    )
    return replace(event, digest=digest_of(event))


def digest_of(event: AuditEvent) -> str:
    """The digest that the event should carry."""
    text = json.dumps(audit_json(event, with_digest=False), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def audit_json(event: AuditEvent, *, with_digest: bool = True) -> dict[str, object]:
    """The event as JSON, as the API returns it; without `digest`, the digest's input."""
    body: dict[str, object] = {
        "n": event.n,
        "at": iso(event.at),
        "subject": event.subject,
        "origin": event.origin,
        "address": event.address,
        "action": event.action,
        "target_kind": event.target_kind,
        "target": event.target,
        "details": dict(event.details),
        "previous": event.previous,
    }
    return body | {"digest": event.digest} if with_digest else body


def verify_events(events: Iterable[AuditEvent]) -> AuditVerification:
    """Verify a trail in order, from its first remaining event. Reads each event once.

    After `audit.purge`, the trail starts at an event later than 1. The purge is itself an event and
    names the last event it removed.
    """
    verifier = _Verifier()
    for event in events:
        verifier.take(event)
    return verifier.result()


class _Verifier:
    def __init__(self) -> None:
        self._first: AuditEvent | None = None
        self._last: AuditEvent | None = None
        self._purged: dict[int, str] = {0: FIRST_PREVIOUS}
        self._count = 0
        self._problems: list[AuditProblem] = []

    def take(self, event: AuditEvent) -> None:
        if digest_of(event) != event.digest:
            self._found(event.n, AuditFault.CHANGED)
        if self._last is None:
            self._first = event
        elif event.n != self._last.n + 1:
            self._found(self._last.n + 1, AuditFault.MISSING)
        elif event.previous != self._last.digest:
            self._found(event.n, AuditFault.UNLINKED)
        if event.action == AuditAction.AUDIT_PURGE.value:
            self._note_purge(event.details)
        self._last = event
        self._count += 1

    def result(self) -> AuditVerification:
        first, last = self._first, self._last
        if first is not None and self._purged.get(first.n - 1) != first.previous:
            self._found(first.n - 1 or 1, AuditFault.MISSING)
        return AuditVerification(
            self._count,
            None if last is None else (last.n, last.digest),
            tuple(self._problems),
        )

    def _found(self, n: int, fault: AuditFault) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(AuditProblem(n, fault))

    def _note_purge(self, details: Details) -> None:
        last_n, digest = details.get("last_n"), details.get("last_digest")
        if isinstance(last_n, int) and isinstance(digest, str):
            self._purged[last_n] = digest
