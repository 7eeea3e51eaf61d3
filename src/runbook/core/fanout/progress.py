"""Where a fan-out stands, and what comes next."""

from __future__ import annotations

from enum import StrEnum

from runbook.core.fanout.limits import Limits
from runbook.core.status import RunStatus
from runbook.quick_dataclass import dataclass


class DeviceState(StrEnum):
    """Where one device stands."""

    PENDING = "pending"
    RUNNING = "running"
    """It has a child run that hasn't ended."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Left out because its breaker was open or another run was working on it."""


class StopReason(StrEnum):
    """Why a fan-out starts no more devices, although some are left."""

    MAX_FAILURES = "max_failures"
    CANARY = "canary"


@dataclass(frozen=True, slots=True)
class Counts:
    """How many devices are in each state."""

    pending: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        return self.pending + self.running + self.succeeded + self.failed + self.skipped


@dataclass(frozen=True, slots=True)
class Next:
    """How many devices to start now; `over` once nothing is left to start or to wait for."""

    start: int = 0
    stopped: StopReason | None = None
    over: bool = False


def next_starts(limits: Limits, counts: Counts, *, paused: bool = False) -> Next:
    """What a fan-out does next.

    Devices that succeeded in an earlier run count as canaries, too. A skipped canary is replaced by
    the next device.
    """
    stopped = _stopped(limits, counts)
    if stopped is not None:
        return Next(0, stopped, over=counts.running == 0)
    if counts.pending == 0:
        return Next(over=counts.running == 0)
    room = limits.parallel - counts.running
    if _in_canary(limits, counts):
        room = min(room, limits.canary - counts.succeeded - counts.running)
    return Next(0 if paused else max(0, min(room, counts.pending)))


def _stopped(limits: Limits, counts: Counts) -> StopReason | None:
    """Stays once given: these numbers only grow, and a failed canary leaves one too few."""
    if counts.pending == 0:
        return None
    if counts.failed and _in_canary(limits, counts):
        return StopReason.CANARY
    if limits.max_failures is not None and counts.failed >= limits.max_failures:
        return StopReason.MAX_FAILURES
    return None


def _in_canary(limits: Limits, counts: Counts) -> bool:
    return counts.succeeded < limits.canary


def state_of(status: RunStatus, code: str | None) -> DeviceState:
    """The state of a device whose child run has this status, and whose first error this code."""
    if not status.terminal:
        return DeviceState.RUNNING
    if status is RunStatus.SUCCEEDED:
        return DeviceState.SUCCEEDED
    return DeviceState.SKIPPED if code == BUSY else DeviceState.FAILED


BUSY = "lock_held"
"""The code of a run that failed because another one held its lock."""
