"""Ends runs whose worker process is gone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

from runbook import log
from runbook.core import return_codes
from runbook.core.document import Problem
from runbook.core.outcome import Outcome
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.engine.record.ending import Ending
from runbook.engine.record.history_entry import Records
from runbook.host.identity import boot_id, host_name, process_start
from runbook.store.models import Worker
from runbook.store.store import Store

LOST_TEXT = "The worker died; how far the script came is not known"
WORKER_DIED = "worker_died"
SILENCE_MS = 15_000
PATIENCE_SECONDS = 2.0
"""How long to wait for the ends of runs, which go on in the background after that."""
MOST_THREADS = 16


def is_dead(worker: Worker, now: Millis) -> bool:
    """On this host and boot the process itself tells; elsewhere, only its silence does.

    A process that is merely stopped or starved is alive: it keeps its runs.
    """
    if worker.host == host_name() and worker.boot_id == boot_id():
        return process_start(worker.pid) != worker.process_start
    return now - worker.beat_at > SILENCE_MS


class Reaper:
    """Finds dead workers and ends their runs as `lost`. Thread-safe; one per engine.

    Threads of its own end the runs, those of one runbook in order, because a runbook's file may
    stay locked, and that must not delay other runs. If the process ends first, another one ends
    the remaining runs.
    """

    def __init__(
        self, store: Store, records: Records, ending: Ending, clock: Callable[[], Millis]
    ) -> None:
        self._store = store
        self._records = records
        self._ending = ending
        self._clock = clock
        self._lock = threading.Lock()
        self._in_progress: set[str] = set()

    def reap(self) -> int:
        """End the runs of dead workers, never of living ones. Returns how many it found.

        Returns after PATIENCE_SECONDS even if not all have ended.
        """
        for worker in self._store.workers.all():
            if is_dead(worker, self._clock()):
                log.warning("worker.dead", worker_id=worker.id, pid=worker.pid, host=worker.host)
                self._store.workers.remove(worker.id)
        lost = self._store.workers.runs_of_missing()
        self.end(lost)
        return len(lost)

    def end(self, runs: Iterable[Run]) -> None:
        """End these runs, except those it is already ending. Waits for PATIENCE_SECONDS.

        If the worker wrote a run's history entry before it died, the run ends with its status.
        """
        groups = self._grouped(runs)
        threads = [
            threading.Thread(target=self._work, args=(groups,), name="reaper", daemon=True)
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

    def _work(self, groups: deque[list[Run]]) -> None:
        while True:
            try:
                group = groups.popleft()
            except IndexError:
                return
            for run in group:
                self._try_to_end(run)

    def _try_to_end(self, run: Run) -> None:
        try:
            self._end(run)
        except Exception:  # noqa: BLE001 - whatever it is, other runs must end; the next reap retries
            log.failure("run.not_ended", run_id=run.id, runbook=run.ref)
        finally:
            with self._lock:
                self._in_progress.discard(run.id)

    def _end(self, run: Run) -> None:
        outcome = self._records.recorded_end(run) or Outcome(
            RunStatus.LOST, return_codes.UNKNOWN, errors=(Problem(WORKER_DIED, LOST_TEXT),)
        )
        log.warning("run.lost", run_id=run.id, runbook=run.ref, status=outcome.status.value)
        output = self._records.stored_output(run)
        self._ending.end(run, outcome, output, worker_id=run.worker_id, once=True)
