"""Executes one run, and the runs that its script calls, in a thread."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

from runbook import log
from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.engine.form_choices import Executing
from runbook.engine.process.run import StopReason
from runbook.errors import RunbookError
from runbook.store.models import WorkerKind
from runbook.worker.periodic import reap_task
from runbook.worker.slots import ClaimLoop, Terms

GUARDIAN_ENDED = "guardian process exit"
ONE_REQUEST_SECONDS = 0.3


class OneShotWorker:
    """A worker for one run, with its loop in a thread. Implements the `Orders` of that loop.

    `interrupt` and `abandon` may be called from a signal handler.
    """

    draining = False

    def __init__(self, engine: Engine, principal: Principal) -> None:
        self.id = f"cli-{uuid.uuid4()}"
        self.only: str | None = None
        self._engine = engine
        self._principal = principal
        self._run: Run | None = None
        self._ended = False
        self._failure: RunbookError | None = None
        self._interrupts = 0
        self._last_interrupt = -ONE_REQUEST_SECONDS
        self._told_interrupts = 0
        self._abandoned = False
        # Reaps too: a dead worker's run may hold a lock, with no other worker to end it.
        self._loop = ClaimLoop(
            engine,
            engine.worker_wakeups(),
            Terms(self.id, WorkerKind.CLI, slots=1),
            self,
            (reap_task(engine),),
        )
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def register(self) -> None:
        self._loop.register()

    def start(self, run: Run) -> None:
        """Start executing the run, which is assigned to this worker, in other threads.

        If another run holds one of its locks, it waits for that run to finish.
        """
        self._run = run
        self.only = run.id
        self._thread.start()

    def interrupt(self) -> None:
        """Cancel the run; a second call kills its script immediately.

        Calls in quick succession count once: programs such as `timeout` signal the process and
        then its whole group, so one request arrives twice.
        """
        now = time.monotonic()
        if now - self._last_interrupt > ONE_REQUEST_SECONDS:
            self._interrupts += 1
            self._last_interrupt = now
        self._loop.wake()

    def abandon(self) -> None:
        """Kill the script, or don't start it, because the guardian is gone."""
        self._abandoned = True
        self._loop.wake()

    def check(self) -> None:
        """Raise the error that kept the run from finishing and being recorded, if any."""
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        """Wait until the run and all runs that it called have finished."""
        if self._run is not None:
            self._thread.join()

    def close(self) -> None:
        """Wait for the run, then unregister the worker."""
        self.wait()
        self._loop.leave()
        if self._failure is not None:
            with suppress(RunbookError):
                self._engine.reap()  # otherwise the run ends only when the store is opened next

    def finished(self) -> bool:
        """Whether the run has ended, here or because another process took this worker for dead."""
        if self._failure is None and not self._ended:
            self._ended = self._run_has_ended()
        return self._failure is not None or self._ended

    def obey(self) -> None:
        """Record a cancellation before stopping the script, so the record says who cancelled."""
        if self._run is None:
            return
        if self._abandoned:
            self._give_up(self._run)
        elif self._interrupts > self._told_interrupts:
            told = self._interrupts
            self._cancel(self._run)
            self._told_interrupts = told
            self._loop.stop_all(StopReason.CANCEL, at_once=told > 1)

    def failed(self, error: Exception, run: Run | None) -> None:
        """Stop if this worker's own run failed; the failure of a called run is its caller's."""
        if run is None or run.id == self.only:
            self._failure = _as_ours(error)
            self._loop.stop_all(StopReason.DRAIN, at_once=True)

    def _work(self) -> None:
        try:
            self._loop.run()
        except Exception as error:  # noqa: BLE001 - the waiting thread must get it
            log.failure("worker.fault", worker_id=self.id)
            self._failure = _as_ours(error)

    def _run_has_ended(self) -> bool:
        if self._run is None:
            return False
        try:
            run = self._engine.runs.current(self._run)
        except RunbookError:  # checked again in the next turn
            return False
        return run is None or run.status.terminal

    def _give_up(self, run: Run) -> None:
        if not self._loop.executes(run.id):
            self._engine.request_cancel(run, GUARDIAN_ENDED)
        self._loop.stop_all(StopReason.DRAIN, at_once=True)

    def _cancel(self, run: Run) -> None:
        try:
            self._engine.request_cancel(run, self._principal.subject)
        except RunbookError:
            # Without a script to stop, only a recorded request ends the run.
            if not self._loop.executes(run.id):
                raise


def _as_ours(error: Exception) -> RunbookError:
    if isinstance(error, RunbookError):
        return error
    return RunbookError(f"The engine failed: {type(error).__name__}")


def executing_here(engine: Engine, principal: Principal) -> Executing:
    """Has runs for choices executed in this process, which may have no other worker."""

    def execute(submit: Callable[[str | None], Run]) -> Run:
        worker = OneShotWorker(engine, principal)
        worker.register()
        try:
            run = submit(worker.id)
            if not run.status.terminal:
                worker.start(run)
                worker.wait()
                worker.check()
            return run
        finally:
            worker.close()

    return execute
