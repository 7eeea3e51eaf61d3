"""Requests to end a script."""

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
    STORE = "store"
    """The database was lost, so nothing that the script does could be recorded."""


class Stop:
    """A request to end a script, from any thread or signal handler. Wakes the script's thread.

    One per run. Once requested, it also applies to all later steps.
    """

    def __init__(self) -> None:
        # Reentrant: a signal handler may interrupt its own thread while that holds the lock.
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
        """Whether to send SIGKILL at once."""
        return self._at_once

    def request(self, reason: StopReason, *, at_once: bool = False) -> None:
        """Stop the script; with `at_once`, also in a second request, kill it."""
        with self._lock:
            self._reason = self._reason or reason
            self._at_once = self._at_once or at_once
            if self._open:
                os.eventfd_write(self._event, 1)

    def fileno(self) -> int:
        return self._event

    def acknowledge(self) -> None:
        """Called by the script's thread once it is awake."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._event)
