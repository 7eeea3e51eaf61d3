"""Executes one run, and the runs that its script calls, beside the thread that shows them."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import suppress

from runbook import log
from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.engine.process.run import StopReason
from runbook.errors import RunbookError
from runbook.store.models import WorkerKind
from runbook.worker.periodic import reap_task
from runbook.worker.slots import ClaimLoop, Terms

GUARDIAN_ENDED = "the end of its guardian"
ONE_REQUEST_SECONDS = 0.3


class OneShotWorker:
    """A worker for one run, whose loop is a thread. Gives the orders of its own loop.

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
        # Whoever holds a lock that the run waits for may have died with nobody else here.
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
        """Execute the run, which is assigned to this worker, in threads of its own.

        Where another run holds one of its locks, that run's end is waited for.
        """
        self._run = run
        self.only = run.id
        self._thread.start()

    def interrupt(self) -> None:
        """Cancel the run; a second call kills its script at once.

        Calls that come together count once: `timeout` and others signal a process and then its
        whole group, so that one request arrives twice.
        """
        now = time.monotonic()
        if now - self._last_interrupt > ONE_REQUEST_SECONDS:
            self._interrupts += 1
            self._last_interrupt = now
        self._loop.wake()

    def abandon(self) -> None:
        """The guardian is gone: kill the script at once; do not start one any more."""
        self._abandoned = True
        self._loop.wake()

    def check(self) -> None:
        """Raise what kept the run from being executed to a recorded end."""
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        """Until the run and all that it called have ended."""
        if self._run is not None:
            self._thread.join()

    def close(self) -> None:
        """Wait, then sign off."""
        self.wait()
        self._loop.leave()
        if self._failure is not None:
            with suppress(RunbookError):
                self._engine.reap()  # nobody else will end the run before the next opening

    def finished(self) -> bool:
        """Whether the run has ended: here, or by others who took us for dead."""
        if self._failure is None and not self._ended:
            self._ended = self._run_has_ended()
        return self._failure is not None or self._ended

    def obey(self) -> None:
        """A cancellation is recorded before it is passed on, so that the record says by whom."""
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
        """Of a run that was called, only the end is missing: its caller goes on."""
        if run is None or run.id == self.only:
            self._failure = _as_ours(error)
            self._loop.stop_all(StopReason.DRAIN, at_once=True)

    def _work(self) -> None:
        try:
            self._loop.run()
        except Exception as error:  # noqa: BLE001 - whoever waits for the run must hear of it
            log.failure("worker.fault", worker_id=self.id)
            self._failure = _as_ours(error)

    def _run_has_ended(self) -> bool:
        if self._run is None:
            return False
        try:
            run = self._engine.runs.current(self._run)
        except RunbookError:  # asked again in the next turn
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
            if not self._loop.executes(run.id):  # no script to stop: only the request ends it
                raise


def _as_ours(error: Exception) -> RunbookError:
    if isinstance(error, RunbookError):
        return error
    return RunbookError(f"The engine failed: {type(error).__name__}")
