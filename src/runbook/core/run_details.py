"""A run with its steps, artifacts and related runs."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.core.actions import Actions
from runbook.core.outcome import Artifact, StepRun
from runbook.core.run import Run


@dataclass(frozen=True, slots=True)
class RunDetails:
    """What one caller may see of a run.

    `parent` and `related` are also None if the caller may not see them. `tree` holds the run, its
    ancestors and all their descendants.
    """

    run: Run
    steps: tuple[StepRun, ...]
    summary: str | None
    artifacts: tuple[Artifact, ...]
    parent: Run | None
    related: Run | None
    reruns: tuple[Run, ...]
    tree: tuple[Run, ...]
    actions: Actions
