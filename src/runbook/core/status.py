"""The statuses of runs and of their steps, and how one follows another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RunStatus(StrEnum):
    QUEUED = "queued"
    """Accepted; waits for a slot of a worker."""
    WAITING = "waiting"
    """Waits for a lock that another run holds."""
    RUNNING = "running"
    """A worker has claimed it and executes it."""
    SUCCEEDED = "succeeded"
    """The script returned 0."""
    FAILED = "failed"
    """The script returned something else, or could not be started."""
    TIMED_OUT = "timed_out"
    """The script ran longer than it may and was killed."""
    CANCELLED = "cancelled"
    """Someone asked for its end."""
    INTERRUPTED = "interrupted"
    """Its engine was drained before the script ended."""
    LOST = "lost"
    """Its worker died; what the script did is not known."""
    REFUSED = "refused"
    """The caller's claims did not allow it; nothing was started."""
    INVALID = "invalid"
    """The runbook or the request was not valid; nothing was started."""

    @property
    def terminal(self) -> bool:
        return not TRANSITIONS[self]


_ENDINGS = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.TIMED_OUT,
        RunStatus.CANCELLED,
        RunStatus.INTERRUPTED,
        RunStatus.LOST,
    }
)
_BEFORE_START = frozenset({RunStatus.CANCELLED, RunStatus.INTERRUPTED, RunStatus.LOST})

TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.WAITING, RunStatus.RUNNING}) | _BEFORE_START,
    RunStatus.WAITING: frozenset({RunStatus.QUEUED, RunStatus.RUNNING}) | _BEFORE_START,
    RunStatus.RUNNING: _ENDINGS,
    **{status: frozenset() for status in _ENDINGS | {RunStatus.REFUSED, RunStatus.INVALID}},
}

ACTIVE = frozenset(status for status, following in TRANSITIONS.items() if following)
TERMINAL = frozenset(TRANSITIONS) - ACTIVE


class StepStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    SKIPPED = "skipped"
    """Its condition did not hold."""
    RESTORED = "restored"
    """Completed by the run that this one resumes."""

    @property
    def completed(self) -> bool:
        """Whether its script did all that it does."""
        return self in (StepStatus.SUCCEEDED, StepStatus.RESTORED)
