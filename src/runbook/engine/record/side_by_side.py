"""Ends runs in threads, so that a runbook whose file stays locked delays no other run."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from runbook import log
from runbook.core.run import Run

PATIENCE_SECONDS = 2.0
"""How long to wait for the ends of runs, which go on in the background after that."""
MOST_THREADS = 16


class SideBySide:
    """Ends runs in its own threads, those of one runbook in order. One per engine.

    If the process ends first, another one ends the remaining runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_progress: set[str] = set()

    def each(self, runs: Iterable[Run], end: Callable[[Run], None]) -> None:
        """Call `end` for these runs, except those in progress. Waits for PATIENCE_SECONDS."""
        groups = self._grouped(runs)
        threads = [
            threading.Thread(target=self._work, args=(groups, end), name="ending", daemon=True)
            for _ in range(min(len(groups), MOST_THREADS))
        ]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _grouped(self, runs: Iterable[Run]) -> deque[list[Run]]:
        """The runs by runbook, and marked as in progress."""
        groups: dict[str, list[Run]] = {}
        with self._lock:
            for run in runs:
                if run.id not in self._in_progress:
                    self._in_progress.add(run.id)
                    groups.setdefault(run.ref, []).append(run)
        return deque(groups.values())

    def _work(self, groups: deque[list[Run]], end: Callable[[Run], None]) -> None:
        while True:
            try:
                group = groups.popleft()
            except IndexError:
                return
            for run in group:
                self._try_to_end(run, end)

    def _try_to_end(self, run: Run, end: Callable[[Run], None]) -> None:
        try:
            end(run)
        except Exception:  # noqa: BLE001 - whatever it is, other runs must end; the next reap retries
            log.failure("run.not_ended", run_id=run.id, runbook=run.ref)
        finally:
            with self._lock:
                self._in_progress.discard(run.id)
