"""The request to end a script, and why."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from enum import StrEnum


class StopReason(StrEnum):
    """Why a running script was told to end."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    DRAIN = "drain"


class Stop:
    """A request, from any thread or signal handler, to end a script. Wakes its pump at once.

    One for each run. Once requested it stays so, also for the steps that would follow.
    """

    def __init__(self) -> None:
        # A signal handler may come in while its own thread holds the lock: hence reentrant.
        self._lock = threading.RLock()
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._open = True
        self._reason: StopReason | None = None
        self._at_once = False

    @property
    def reason(self) -> StopReason | None:
        """The first reason given."""
        return self._reason

    @property
    def at_once(self) -> bool:
        """Whether to kill without asking first."""
        return self._at_once

    def request(self, reason: StopReason, *, at_once: bool = False) -> None:
        """Ask the script to end; `at_once`, also in a second request, leaves it no time for it."""
        with self._lock:
            self._reason = self._reason or reason
            self._at_once = self._at_once or at_once
            if self._open:
                os.eventfd_write(self._event, 1)

    def fileno(self) -> int:
        return self._event

    def acknowledge(self) -> None:
        """Called by the pump, once awake."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._event)
