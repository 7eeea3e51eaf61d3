"""How a change of a stack ends, and how a run says so."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import runbook


class Outcome(StrEnum):
    COMMITTED = "committed"
    """The stack is as wanted, and healthy."""
    REFUSED = "refused"
    """Nothing was changed."""
    REVERTED = "reverted"
    """The stack has the images, counts and configuration from before."""
    UNKNOWN = "unknown"
    """The way back has failed, too, or the engine can't be reached."""


EXIT_CODES: Mapping[Outcome, int] = {
    Outcome.COMMITTED: 0,
    Outcome.REFUSED: 40,
    Outcome.REVERTED: 41,
    Outcome.UNKNOWN: 42,
}


@dataclass(frozen=True, slots=True)
class Result:
    """`reason` is a stable word, or a connector's error code; `text` is for people."""

    outcome: Outcome
    reason: str
    text: str

    def end(self) -> None:
        """Tell it. Unless it is committed, the run fails, with its exit code."""
        runbook.output("outcome", self.outcome.value)
        runbook.output("reason", self.reason)
        runbook.summary(f"**{self.outcome}**: {self.text}")
        good = self.outcome is Outcome.COMMITTED
        print(f"{self.outcome}: {self.text}", file=sys.stdout if good else sys.stderr, flush=True)
        if not good:
            raise SystemExit(EXIT_CODES[self.outcome])


def committed(text: str, reason: str = "healthy") -> Result:
    return Result(Outcome.COMMITTED, reason, text)


def refused(reason: str, text: str) -> Result:
    return Result(Outcome.REFUSED, reason, text)
