"""Follows a task of Proxmox VE to its end."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.proxmox.errors import code_of
from runbook.script import commands

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
LINES = 500
PATIENCE_S = 60.0
"""How long the server may be unreachable while its task runs."""

_PERCENT = re.compile(r"\b(\d{1,3}(?:\.\d+)?) ?%")
_UPID = re.compile(r"UPID:([^:\s]+):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:([^:\s]+):\S*")
_NO_LINES = "no content"


@dataclass(frozen=True)
class Span:
    """A part of a run's progress, in percent."""

    start: float = 0.0
    end: float = 100.0

    def at(self, percent: float) -> float:
        return self.start + (self.end - self.start) * percent / 100


WHOLE = Span()


def follow(api: Any, upid: str, progress: Span) -> None:
    """Wait for the task's end. Raises ConnectorError unless it succeeded."""
    found = _UPID.fullmatch(upid)
    if found is None:
        raise ConnectorError(f"The server answered with {upid!r} instead of a task")
    task = api.nodes(found[1]).tasks(upid)
    try:
        status = _Follower(task, found[2], progress).wait()
    except KeyboardInterrupt:
        print(f"Stopping task {upid}", flush=True)  # noqa: T201
        with suppress(ConnectorError):
            task.delete()
        raise
    if not _is_success(status):
        code = code_of(status) or ErrorCode.TASK_FAILED
        raise ConnectorError(f"The task {found[2]} failed: {status}", code, answered=True)
    commands.progress(progress.end, found[2])


def _is_success(status: str) -> bool:
    return status == "OK" or status.startswith("WARNINGS")


class _Follower:
    """Prints a task's log as it grows."""

    def __init__(self, task: Any, kind: str, progress: Span) -> None:
        self._task = task
        self._kind = kind
        self._progress = progress
        self._shown = 0
        self._heard = time.monotonic()

    def wait(self) -> str:
        """The task's exit status."""
        pause_s = FIRST_PAUSE_S
        while True:
            status = self._status()
            if status is not None and status["status"] == "stopped":
                self._show_log()
                return str(status.get("exitstatus") or "unknown")
            self._show_log()
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _status(self) -> dict[str, Any] | None:
        """None while the server can't be reached for a while: its task goes on."""
        try:
            status: dict[str, Any] = self._task.status.get()
        except ConnectorError as error:
            away = error.code in (ErrorCode.TIMEOUT, ErrorCode.UNREACHABLE)
            passing = away or not error.answered
            if passing and time.monotonic() - self._heard <= PATIENCE_S:
                return None
            # What is refused is the look: the change goes on.
            raise ConnectorError(error.message, error.code) from error
        self._heard = time.monotonic()
        return status

    def _show_log(self) -> None:
        """Print the new lines. The log only informs, so it is no failure if it can't be read."""
        with suppress(ConnectorError):
            while lines := self._task.log.get(start=self._shown, limit=LINES):
                for line in lines:
                    if (text := str(line["t"] or "")) != _NO_LINES:
                        self._shown = max(self._shown, int(line["n"]))
                        self._show(text)
                if len(lines) < LINES:
                    break

    def _show(self, text: str) -> None:
        print(text, flush=True)  # noqa: T201 - a script's output
        found = _PERCENT.findall(text)
        if found and float(found[-1]) <= 100:
            commands.progress(round(self._progress.at(float(found[-1])), 1), self._kind)
