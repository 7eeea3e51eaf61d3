"""What may be done with a run."""

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
    """What one caller may do with a run now, and what speaks against the rest.

    `resume_from` is the step, from 1, that a resume goes on with by itself, where one may be.
    """

    available: tuple[RunAction, ...]
    unavailable: Mapping[RunAction, Problem]
    resume_from: int | None = None
