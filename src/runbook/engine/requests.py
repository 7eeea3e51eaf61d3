"""What is asked of the engine, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.core.document import Problem
from runbook.core.run import Run
from runbook.library.catalog import Entry
from runbook.store.records import LastRun


@dataclass(frozen=True, slots=True)
class ExecuteRequest:
    """The request of one execution or validation.

    `env_vars` is what the caller sent, unchecked. `secrets` names those of them that are secret
    whatever the runbook says. `recursion_stack` is what the caller's header claims. `assigned_to`
    is the worker that alone may execute the run.
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
class Listed:
    """A runbook in the list, as one principal sees it."""

    entry: Entry
    executable: bool
    missing: tuple[str, ...] = ()
    last_run: LastRun | None = None
