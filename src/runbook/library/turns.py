"""Lets the threads of one process take turns at a file, without polling for its lock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from runbook.errors import HistoryError
from runbook.quick_dataclass import dataclass


@dataclass(slots=True)
class _Line:
    turn: threading.Lock = field(default_factory=threading.Lock)
    threads: int = 0


class Turns:
    """A lock for each path that a thread uses or waits for. Other processes aren't excluded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Path, _Line] = {}

    @contextmanager
    def at(self, path: Path, seconds: float) -> Iterator[None]:
        """Hold the turn. Raises HistoryError if it doesn't come within `seconds`."""
        with self._lock:
            line = self._lines.setdefault(path, _Line())
            line.threads += 1
        try:
            if not line.turn.acquire(timeout=seconds):
                raise HistoryError("The runbook's history is being written by others. Try again.")
            try:
                yield
            finally:
                line.turn.release()
        finally:
            with self._lock:
                line.threads -= 1
                if not line.threads:
                    del self._lines[path]
