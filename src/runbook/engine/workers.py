"""The worker's side of the engine: registering, claiming, executing, reaping."""

from __future__ import annotations

from collections.abc import Collection

from runbook import log
from runbook.core import return_codes
from runbook.core.document import Problem
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.waiting import WaitReason
from runbook.engine.execute.execution import Execution, UndoOnFailure
from runbook.engine.parts import Parts
from runbook.engine.problems import problem_of
from runbook.engine.process.run import Stop
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.record.reaper import Reaper
from runbook.engine.record.side_by_side import SideBySide
from runbook.errors import RunbookError
from runbook.host.identity import process_identity
from runbook.store.leases import Leases
from runbook.store.models import Claimed, NewEvent, UnclaimableRunError, Worker, WorkerKind


class WorkerDesk:
    """`Engine.workers`. Thread-safe. All methods raise StoreBusyError and StoreUnavailableError."""

    def __init__(self, parts: Parts, undo: UndoOnFailure) -> None:
        self._parts = parts
        self._store = parts.store
        self._undo = undo
        self._side_by_side = SideBySide()

    @property
    def leases(self) -> Leases:
        """Leases of periodic tasks, shared by all workers of the store."""
        return self._store.leases

    def register(self, worker_id: str, kind: WorkerKind, slots: int) -> None:
        """Make a worker of this process known."""
        now = self._parts.clock()
        identity = process_identity()
        self._store.workers.register(
            Worker(id=worker_id, kind=kind, slots=slots, started_at=now, beat_at=now, **identity)
        )

    def remove(self, worker_id: str) -> None:
        self._store.workers.remove(worker_id)

    def beat(self, worker_id: str, *, draining: bool) -> bool:
        """Report that the worker is alive. False if others removed it after a silence."""
        return self._store.workers.beat(worker_id, draining=draining)

    def cancelled_runs(self, worker_id: str) -> Collection[str]:
        """The ids of the worker's runs that were cancelled but still execute."""
        return self._store.workers.cancel_requested(worker_id)

    def claim(
        self,
        worker_id: str,
        *,
        root_slots: int,
        form_slots: int = 0,
        expected: bool = False,
        only: str | None = None,
        queues: Collection[str] | None = None,
    ) -> Claimed | None:
        """See store.runs.Runs.claim. A run that can't be claimed is ended, the next one tried."""
        while True:
            try:
                return self._store.runs.claim(
                    worker_id,
                    root_slots=root_slots,
                    form_slots=form_slots,
                    expected=expected,
                    only=only,
                    queues=queues,
                )
            except UnclaimableRunError as error:
                self._parts.ending.quarantine(error.run, error.message)

    def execute(self, claimed: Claimed, worker_id: str, stop: Stop) -> None:
        """Execute a claimed run in this thread, to its recorded end."""
        if claimed.run.damage:
            stop.close()
            reason = f"it can't be read: {', '.join(claimed.run.damage)}"
            self._parts.ending.quarantine(claimed.run, reason)
            return
        if claimed.busy is not None:
            stop.close()
            self._end_unstarted(claimed.run, worker_id, _busy(claimed.run, claimed.busy))
            return
        try:
            execution = Execution(self._parts, claimed, worker_id, stop, self._undo)
        except RunbookError as error:  # its document or its inputs cannot be restored
            stop.close()
            self._end_unstarted(claimed.run, worker_id, problem_of(error))
        else:
            execution.execute()

    def _end_unstarted(self, run: Run, worker_id: str, problem: Problem) -> None:
        text = problem.message
        log.warning("run.not_started", run_id=run.id, runbook=run.ref, error=text)
        event = NewEvent(self._parts.clock(), EventType.STDERR, text=text, line=1, offset=0)
        outcome = Outcome(RunStatus.FAILED, return_codes.FAILED, errors=(problem,))
        output = RecordedOutput(stderr=text)
        ending = self._parts.ending
        ending.end(run, outcome, output, [event], worker_id=worker_id, began=False)

    def forgotten(self, worker_id: str, executing: Collection[str]) -> list[Run]:
        """Runs that the worker owns but no longer executes: storing their end had failed."""
        return [
            run
            for run in self._store.workers.unfinished(worker_id)
            if run.status is RunStatus.RUNNING and run.id not in executing
        ]

    def end_lost(self, runs: Collection[Run]) -> None:
        """End runs that nobody executes any more; see Reaper.end."""
        self._side_by_side.each(runs, self._reaper().end)

    def reap(self, *, everywhere: bool = False) -> int:
        """End the runs whose worker is gone; see Reaper.reap."""
        return self._reaper().reap(everywhere=everywhere)

    def _reaper(self) -> Reaper:
        parts = self._parts
        return Reaper(
            parts.store,
            parts.records,
            parts.ending,
            parts.clock,
            self._side_by_side,
            parts.options.execution_dir,
            parts.options.isolation.user,
        )


def _busy(run: Run, reason: WaitReason) -> Problem:
    """Why a run fails that cannot have its locks now, and must not wait for them."""
    text, params = reason.text, reason.params
    if run.request.locks is None or not run.request.locks.waits:
        return Problem(reason.code, text, params=params)
    text += "; that run waits for a lock of this run's callers, so both would wait forever"
    return Problem("deadlock", text, params=params)
