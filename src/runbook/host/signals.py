"""What the engine's processes do about signals that aren't meant for them.

Light to import, because the supervisor and guardians load it.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from types import FrameType

_NAMES = ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGSTKFLT")

STRAY = frozenset(
    {getattr(signal, name) for name in _NAMES if hasattr(signal, name)}
    | set(range(signal.SIGRTMIN, signal.SIGRTMAX + 1))
)
"""Signals that report no fault and don't ask to stop, but end a process that doesn't expect them.

Monitoring tools and log rotation send them to the wrong process.
"""

_RESTORED = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""Python ignores these and gives them back to the programs it starts."""


def ignored_at_start(numbers: Iterable[int]) -> frozenset[int]:
    """Those of the signals that this process was started to ignore, for example by `nohup`."""
    return frozenset(number for number in numbers if signal.getsignal(number) is signal.SIG_IGN)


def disregard(numbers: Iterable[int]) -> None:
    """Let signals have no effect on this process, but their default action in its scripts.

    They are handled rather than ignored, because programs inherit that a signal is ignored.
    """
    for number in numbers:
        signal.signal(number, _nothing)


def keep_ignoring() -> None:
    """Continue to disregard what this process was started to ignore, but not in its scripts."""
    disregard(ignored_at_start(signal.valid_signals() - _RESTORED - {signal.SIGCHLD}))


def _nothing(_number: int, _frame: FrameType | None) -> None:
    return
