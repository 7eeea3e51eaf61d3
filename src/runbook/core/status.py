"""The statuses of runs and steps, and the allowed transitions."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class RunStatus(StrEnum):
    QUEUED = "queued"
    """Accepted; waiting for a worker."""
    WAITING = "waiting"
    """Waiting for a lock held by another run."""
    RUNNING = "running"
    """A worker is executing it."""
    SUCCEEDED = "succeeded"
    """The script returned a success code: 0, unless its Policy has others."""
    FAILED = "failed"
    """The script returned a failure code, or couldn't be started."""
    TIMED_OUT = "timed_out"
    """The script exceeded its timeout and was killed."""
    CANCELLED = "cancelled"
    """Cancelled by a user."""
    INTERRUPTED = "interrupted"
    """The server shut down before the run finished."""
    LOST = "lost"
    """The worker died; the script's result is unknown."""
    REFUSED = "refused"
    """Denied by required claims or a full queue; nothing was started."""
    INVALID = "invalid"
    """The runbook or the request is invalid; nothing was started."""

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


class StepStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    SKIPPED = "skipped"
    """The step's condition was false."""
    RESTORED = "restored"
    """Completed by the run that this one resumes."""

    @property
    def completed(self) -> bool:
        """Whether the step's script ran to completion."""
        return self in (StepStatus.SUCCEEDED, StepStatus.RESTORED)
