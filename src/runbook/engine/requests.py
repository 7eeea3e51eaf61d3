"""Requests to the engine, and its answers."""

from __future__ import annotations

from dataclasses import field

from runbook.core.access import Decision
from runbook.core.document import Problem
from runbook.core.reruns import Numbered, Restored
from runbook.core.run import LockRequest, Purpose, Relation, Run
from runbook.library.catalog import Entry
from runbook.library.search import Match
from runbook.quick_dataclass import dataclass
from runbook.store.models import IdempotencyKey, LastRun, RerunClaim


@dataclass(frozen=True, slots=True)
class ExecuteRequest:
    """A request to execute or validate a runbook.

    `env_vars` are the inputs as sent, unchecked; `secrets` names those to mask, whatever the
    runbook declares. `recursion_stack` is the call chain from the request's header. Only the
    worker `assigned_to` may execute the run. `confirm` is the confirmation typed by the user.
    With `digest`, the request is refused unless it is the runbook's current digest. `hidden` names
    the values that are not shown because they contain a secret. `purpose` is that of the run.
    `locks` are taken besides those of its policy.
    """

    env_vars: object = None
    secrets: frozenset[str] = frozenset()
    correlation_id: str = ""
    recursion_stack: tuple[str, ...] = ()
    reason: str | None = None
    idempotency_key: str | None = None
    assigned_to: str | None = None
    timeout_s: float | None = None
    confirm: str | None = None
    dry_run: bool = False
    digest: str | None = None
    hidden: frozenset[str] = frozenset()
    purpose: Purpose | None = None
    locks: LockRequest | None = None


@dataclass(frozen=True, slots=True)
class FormValues:
    """The values in a form so far, unchecked; `row` is that of the field asked about."""

    env_vars: object = None
    row: object = None


@dataclass(frozen=True, slots=True)
class Rerun:
    """What a retry, resume or undo takes over from the earlier run, `run`.

    `handed` is what the steps that are not executed again handed over, `masks` the secrets among
    it. `entry` is executed instead of the runbook as it is now. `claim` decides between several
    reruns at the same moment. `key` is the request's key.
    """

    relation: Relation
    run: Run
    start_step: int | None = None
    entry: Entry | None = None
    handed: Restored = field(default_factory=Restored)
    masks: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    claim: RerunClaim | None = None
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a validation."""

    ref: str
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def success(self) -> bool:
        return not self.errors


@dataclass(frozen=True, slots=True)
class Submitted:
    """A queued or invalid run; `replayed` if its Idempotency-Key was used before.

    `correlation_id` is the request's, with secrets masked.
    """

    run: Run
    replayed: bool = False
    correlation_id: str = ""


@dataclass(frozen=True, slots=True)
class Executed:
    """The document that a run executed. `current_digest` is None if the runbook is gone."""

    digest: str
    content: bytes
    current_digest: str | None


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """What an undo would do: the steps that it reverses, in order, and those that it leaves."""

    steps: tuple[Numbered, ...]
    left: tuple[Numbered, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A runbook in the list, as one principal sees it."""

    entry: Entry
    decision: Decision
    last_run: LastRun | None = None
    match: Match | None = None


@dataclass(frozen=True, slots=True)
class RunbookText:
    """A runbook's text as one principal sees it; `decision` is whether it may execute it."""

    entry: Entry
    decision: Decision
    content: bytes
