"""How a change of a router ends, and how a run says so."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum

import runbook
from runbook.errors import RunbookError


class ReasonError(RunbookError):
    """Why a router isn't changed, or doesn't keep a change; `code` is a stable word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]


class Outcome(StrEnum):
    COMMITTED = "committed"
    """The router has the new configuration, and no revert is armed."""
    REVERTED = "reverted"
    """The router has the configuration from before."""
    REFUSED = "refused"
    """Nothing was changed."""
    UNKNOWN = "unknown"
    """Nobody can tell yet: run PushRecover."""


EXIT_CODES = {
    Outcome.COMMITTED: 0,
    Outcome.REFUSED: 40,
    Outcome.REVERTED: 41,
    Outcome.UNKNOWN: 42,
}


@dataclass(frozen=True)
class Result:
    """`reason` is a stable word, or a connector's error code; `text` is for people."""

    outcome: Outcome
    reason: str
    text: str

    def tell(self) -> None:
        runbook.output("outcome", self.outcome.value)
        runbook.output("reason", self.reason)
        runbook.summary(f"**{self.outcome}**: {self.text}")
        stream = sys.stdout if self.outcome is Outcome.COMMITTED else sys.stderr
        print(f"{self.outcome}: {self.text}", file=stream, flush=True)

    def end(self) -> None:
        """Tell it. Unless it is committed, the step and so the run fail, with its exit code."""
        self.tell()
        if self.outcome is not Outcome.COMMITTED:
            raise SystemExit(EXIT_CODES[self.outcome])


def refused(reason: str, text: str) -> Result:
    return Result(Outcome.REFUSED, reason, text)


def reverted(reason: str, text: str) -> Result:
    return Result(Outcome.REVERTED, reason, text)


def unknown(reason: str, text: str) -> Result:
    end = "" if text.endswith((".", "?", "!")) else "."
    return Result(Outcome.UNKNOWN, reason, f"{text}{end} Run PushRecover")
