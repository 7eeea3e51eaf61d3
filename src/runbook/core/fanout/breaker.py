"""The circuit breaker of one runbook and one device: after failures, it rests for a while."""

from __future__ import annotations

from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass

FAILURES = 5
"""So many in a row open it."""
FIRST_PAUSE_MS = 30_000
LONGEST_PAUSE_MS = 15 * 60_000


@dataclass(frozen=True, slots=True)
class Breaker:
    """`failures` in a row; the device is skipped until `open_until`."""

    failures: int = 0
    open_until: Millis = 0

    def is_open(self, now: Millis) -> bool:
        # A clock that was set back must not keep it open for longer than it can be.
        return now < self.open_until <= now + LONGEST_PAUSE_MS


CLOSED = Breaker()


def after(breaker: Breaker, status: RunStatus, at: Millis) -> Breaker:
    """The breaker after a run that ended like this.

    Only what says something about the device counts: a success closes it, a failure or a timeout
    is counted. After its pause, one failure opens it again, for twice as long.
    """
    if status is RunStatus.SUCCEEDED:
        return CLOSED
    if status not in (RunStatus.FAILED, RunStatus.TIMED_OUT):
        return breaker
    failures = breaker.failures + 1
    if failures < FAILURES:
        return Breaker(failures)
    doublings = min(failures - FAILURES, 10)
    pause = min(FIRST_PAUSE_MS * 2**doublings, LONGEST_PAUSE_MS)
    return Breaker(failures, at + pause)
