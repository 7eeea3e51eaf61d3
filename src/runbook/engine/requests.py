"""What is asked of the engine, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from runbook.core.access import Decision
from runbook.core.document import Problem
from runbook.core.outcome import StepRun
from runbook.core.reruns import Numbered, Restored
from runbook.core.run import Relation, Run
from runbook.engine.sealing import GivenInputs
from runbook.library.catalog import Entry
from runbook.library.search import Match
from runbook.store.models import LastRun


@dataclass(frozen=True, slots=True)
class ExecuteRequest:
    """The request of one execution or validation.

    `env_vars` is what the caller sent, unchecked. `secrets` names those of them that are secret
    whatever the runbook says. `recursion_stack` is what the caller's header claims. `assigned_to`
    is the worker that alone may execute the run. `confirm` is what was typed to confirm it, and
    `digest` is of the document that the caller has read: no other one is executed.
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


@dataclass(frozen=True, slots=True)
class Follows:
    """Which earlier run a new one follows from, and what it takes over.

    `rows` are the steps that are not executed again, `handed` what they handed over; `masks` are
    secrets among it. `entry` stands in place of the runbook as it is now. With `inputs` and
    `parent` the new run belongs to a run that has not ended.
    """

    relation: Relation
    run: Run
    start_step: int | None = None
    rows: tuple[StepRun, ...] = ()
    parent: Run | None = None
    inputs: GivenInputs | None = None
    entry: Entry | None = None
    handed: Restored = field(default_factory=Restored)
    masks: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a validation."""

    ref: str
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def success(self) -> bool:
        return not self.errors


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that was accepted or found invalid; `replayed` for a repeated Idempotency-Key."""

    run: Run
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Executed:
    """The bytes that a run executed. `current_digest` is None where the runbook is gone."""

    digest: str
    content: bytes
    current_digest: str | None


@dataclass(frozen=True, slots=True)
class Undoing:
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
