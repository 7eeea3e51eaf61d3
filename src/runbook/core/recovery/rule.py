"""What a policy says about runs that ended, but may have left something half done."""

from __future__ import annotations

from runbook.quick_dataclass import dataclass

DAY_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """The runbook to execute after a run that didn't succeed, until it succeeds.

    Not after the return codes in `unless`: with those, the script says that nothing is left to do.
    `backoff_s` is the pause before the second attempt.
    """

    ref: str
    unless: frozenset[int] = frozenset()
    attempts: int = 5
    backoff_s: float = 60.0

    def pause_s(self, attempts: int) -> float:
        """The pause after so many attempts. It doubles each time, up to a day."""
        return min(self.backoff_s * 2.0 ** min(attempts - 1, 64), DAY_S)
