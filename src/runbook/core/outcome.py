"""How a run and its steps ended, and what they left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.core.document import Problem
from runbook.core.status import RunStatus, StepStatus
from runbook.core.times import Millis


class PlanLabel(StrEnum):
    """How far a planned change, or a whole dry run, can be believed."""

    VERIFIED = "verified"
    """What would change was found out by reading."""
    ASSUMED = "assumed"
    """It follows from what was asked for, but nothing was read."""
    UNKNOWN = "unknown"
    """Nobody said."""


@dataclass(frozen=True, slots=True)
class StepRun:
    """What became of one step in one run. `n` counts from 1, in the order of the document.

    `first_line` and `last_line` are the span of the log's lines that it printed; `last_line` is
    the smaller one where it printed nothing. `env` and `outputs` are what it handed over; a value
    that may not be kept, because a secret stands in it, is None.
    """

    n: int
    name: str
    status: StepStatus
    started_at: Millis
    finished_at: Millis | None = None
    return_code: int | None = None
    attempts: int = 1
    first_line: int = 1
    last_line: int = 0
    env: Mapping[str, str | None] = field(default_factory=dict)
    outputs: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a run left to be kept. `name` is its path below the run's folder."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `return_code` follows the table of return codes in docs/runs.md.

    `label` is of dry runs only. `summary` is Markdown. `steps` are those that the store does not
    know yet as they are.
    """

    status: RunStatus
    return_code: int
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    outputs: Mapping[str, object] = field(default_factory=dict)
    label: PlanLabel | None = None
    summary: str | None = None
    artifacts: tuple[Artifact, ...] = ()
    steps: tuple[StepRun, ...] = ()
