"""A run with its steps, artifacts, related runs and available actions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from runbook.core.connection import ConnectionUse
from runbook.core.document import Problem
from runbook.core.effects import Effect
from runbook.core.outcome import Artifact, StepRun
from runbook.core.run import Run
from runbook.quick_dataclass import dataclass


class RunAction(StrEnum):
    CANCEL = "cancel"
    RETRY = "retry"
    RESUME = "resume"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions a caller can take now, and why the others aren't available.

    `resume_from` is the step, counted from 1, where a resume starts by default, if available.
    """

    available: tuple[RunAction, ...]
    unavailable: Mapping[RunAction, Problem]
    resume_from: int | None = None


@dataclass(frozen=True, slots=True)
class RunDetails:
    """What one caller may see of a run.

    `parent` and `related` are also None if the caller may not see them. `below` has the latest of
    the runs that it called, directly or not, and `reruns` the runs that reran it, as far as the
    caller may see them. `more_below` says whether it called more.
    """

    run: Run
    steps: tuple[StepRun, ...]
    summary: str | None
    artifacts: tuple[Artifact, ...]
    effects: tuple[Effect, ...]
    connections: tuple[ConnectionUse, ...]
    devices: tuple[str, ...]
    fanouts: int
    parent: Run | None
    related: Run | None
    reruns: tuple[Run, ...]
    below: tuple[Run, ...]
    more_below: bool
    actions: Actions
