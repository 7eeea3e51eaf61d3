"""The actions available on a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runbook.core.document import Problem


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
