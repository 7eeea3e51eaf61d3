"""Ends runs whose worker process is gone."""

from __future__ import annotations

from collections.abc import Callable

from runbook import log
from runbook.core import return_codes
from runbook.core.document import Problem
from runbook.core.outcome import Outcome
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.engine.record.ending import Ending
from runbook.engine.record.history_entry import Records
from runbook.engine.record.side_by_side import SideBySide
from runbook.host.identity import boot_id, host_name, process_start
from runbook.store.models import Worker
from runbook.store.store import Store

LOST_TEXT = "The worker died; how far the script came is not known"
WORKER_DIED = "worker_died"
SILENCE_MS = 15_000


def is_dead(worker: Worker, now: Millis) -> bool:
    """On this host and boot the process itself tells; elsewhere, only its silence does.

    A process that is merely stopped or starved is alive: it keeps its runs.
    """
    if worker.host == host_name() and worker.boot_id == boot_id():
        return process_start(worker.pid) != worker.process_start
    return now - worker.beat_at > SILENCE_MS


class Reaper:
    """Finds dead workers and ends their runs as `lost`."""

    def __init__(
        self,
        store: Store,
        records: Records,
        ending: Ending,
        clock: Callable[[], Millis],
        side_by_side: SideBySide,
    ) -> None:
        self._store = store
        self._records = records
        self._ending = ending
        self._clock = clock
        self._side_by_side = side_by_side

    def reap(self) -> int:
        """End the runs of dead workers, never of living ones. Returns how many it found.

        Returns after a while even if not all have ended; see SideBySide.
        """
        for worker in self._store.workers.all():
            if is_dead(worker, self._clock()):
                log.warning("worker.dead", worker_id=worker.id, pid=worker.pid, host=worker.host)
                self._store.workers.remove(worker.id)
        lost = self._store.workers.runs_of_missing()
        self._side_by_side.each(lost, self.end)
        return len(lost)

    def end(self, run: Run) -> None:
        """If the worker wrote the history entry before it died, the run ends with its status."""
        outcome = self._records.recorded_end(run) or Outcome(
            RunStatus.LOST, return_codes.UNKNOWN, errors=(Problem(WORKER_DIED, LOST_TEXT),)
        )
        log.warning("run.lost", run_id=run.id, runbook=run.ref, status=outcome.status.value)
        output = self._records.stored_output(run)
        self._ending.end(run, outcome, output, worker_id=run.worker_id, once=True)
