"""What bounds a fan-out: how many at once, how many failures, how many first."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self

from runbook.quick_dataclass import dataclass

MOST_DEVICES = 10_000
MOST_PARALLEL = 100
"""Each child run is a process of its own on one worker."""
DEFAULT_PARALLEL = "10"
_SHARE = re.compile(r"([0-9]{1,6})(%?)")


class WhenBusy(StrEnum):
    """What to do with a device that another run works on."""

    WAIT = "wait"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Share:
    """A number of devices, or a percentage of all."""

    number: int
    percent: bool = False

    @classmethod
    def read(cls, text: str) -> Self:
        """`10` or `20%`. Raises ValueError."""
        found = _SHARE.fullmatch(text.strip())
        if found is None:
            raise ValueError(
                f"{text[:40]!r} is not a number such as 10, or a percentage such as 20%"
            )
        number, percent = int(found[1]), bool(found[2])
        if number < 1 or (percent and number > 100):
            raise ValueError(f"{text[:40]!r} must be at least 1, and at most 100%")
        return cls(number, percent)

    def of(self, total: int) -> int:
        """How many of `total` that is, at least one. Parts of one don't count."""
        return max(1, total * self.number // 100) if self.percent else self.number


@dataclass(frozen=True, slots=True)
class Limits:
    """`max_failures` None: go on whatever fails. The first `canary` devices must succeed first."""

    parallel: int
    max_failures: int | None = None
    canary: int = 0

    @classmethod
    def read(cls, total: int, parallel: str, max_failures: str | None, canary: int) -> Self:
        """The limits for this many devices. Raises ValueError."""
        if canary < 0:
            raise ValueError("the number of canaries can't be negative")
        return cls(
            min(Share.read(parallel).of(total), MOST_PARALLEL),
            None if max_failures is None else Share.read(max_failures).of(total),
            canary,
        )
