"""The results of runs and steps, including artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from runbook.core.document import Problem
from runbook.core.recovery.rule import Recovery
from runbook.core.status import RunStatus, StepStatus
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass


class PlanLabel(StrEnum):
    """How reliable a planned change, or a whole dry run, is."""

    VERIFIED = "verified"
    """The script read the current state to determine the change."""
    ASSUMED = "assumed"
    """Derived from the request only; the current state was not read."""
    UNKNOWN = "unknown"
    """The script didn't say."""


@dataclass(frozen=True, slots=True)
class StepRun:
    """The result of one step in one run. `n` counts from 1, in document order.

    `first_line` and `last_line` are the span of its output in the log; `last_line` is less than
    `first_line` if it printed nothing. `env` and `outputs` are the values it set; None replaces a
    value that can't be stored because it contains a secret.
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
    """A file that a run saved as an artifact. `name` is its path below the artifacts folder."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a run. `return_code` follows the table in docs/runs.md.

    `label` is set for dry runs only. `summary` is Markdown. `steps` are those not stored yet in
    their current state. With `recovery`, the run is to be recovered like that.
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
    recovery: Recovery | None = None
