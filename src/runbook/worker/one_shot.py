"""Executes one run, and the runs that its script calls, beside the thread that shows them."""

from __future__ import annotations

import os
import selectors
import threading
import time
import uuid
from contextlib import suppress

from runbook import log
from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.engine.process.run import Stop, StopReason
from runbook.engine.wakeups import Role, Wakeups
from runbook.errors import RunbookError, StoreBusyError, StoreUnavailableError
from runbook.host.identity import process_identity
from runbook.store.models import Claimed, Worker, WorkerKind

BEAT_SECONDS = 1.0
REAP_SECONDS = 3.0
GUARDIAN_ENDED = "the end of its guardian"
ONE_REQUEST_SECONDS = 0.3


class OneShotWorker:
    """A worker for one run. `interrupt` and `abandon` may be called from a signal handler."""

    def __init__(self, engine: Engine, principal: Principal) -> None:
        self.id = f"cli-{uuid.uuid4()}"
        self._engine = engine
        self._principal = principal
        self._wakeups = Wakeups(engine.parts.options.data_dir / "wake", Role.WORKER)
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._lock = threading.Lock()
        self._active: dict[str, Stop] = {}
        self._run: Run | None = None
        self._taken = False
        """Whether our run was claimed, or ended by others before we could."""
        self._waits = False
        self._failure: RunbookError | None = None
        self._interrupts = 0
        self._last_interrupt = -ONE_REQUEST_SECONDS
        self._told_interrupts = 0
        self._abandoned = False
        self._next_reap = 0.0
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def register(self) -> None:
        now = self._engine.parts.clock()
        self._engine.store.workers.register(
            Worker(
                id=self.id,
                kind=WorkerKind.CLI,
                slots=1,
                started_at=now,
                beat_at=now,
                **process_identity(),
            )
        )

    def start(self, run: Run) -> None:
        """Execute the run, which is assigned to this worker, in threads of its own.

        Where another run holds one of its locks, that run's end is waited for.
        """
        self._run = run
        self._next_reap = time.monotonic() + REAP_SECONDS
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
        self._wake()

    def abandon(self) -> None:
        """The guardian is gone: kill the script at once; do not start one any more."""
        self._abandoned = True
        self._wake()

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
        with suppress(RunbookError):
            self._engine.store.workers.remove(self.id)
            if self._failure is not None:
                self._engine.reap()  # nobody else will end the run before the next opening
        self._wakeups.close()

    def _work(self) -> None:
        try:
            self._loop()
        except Exception as error:  # noqa: BLE001 - whoever waits for the run must hear of it
            log.failure("worker.fault", worker_id=self.id)
            self._failure = _as_ours(error)

    def _loop(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            with suppress(OSError):  # a folder without sockets: every second will do
                selector.register(self._wakeups.open(), selectors.EVENT_READ)
            while not self._finished():
                self._turn()
                if not self._finished():
                    selector.select(BEAT_SECONDS)
                    self._clear_wakeups()

    def _finished(self) -> bool:
        with self._lock:
            return self._failure is not None or (self._taken and not self._active)

    def _turn(self) -> None:
        try:
            self._obey()
            self._claim_all()
            self._engine.store.workers.beat(self.id)
            self._stop_cancelled()
            self._reap()
        except (StoreBusyError, StoreUnavailableError) as error:
            log.warning("worker.store_trouble", worker_id=self.id, error=error.message)

    def _claim_all(self) -> None:
        """Our own run, which no other worker may take, and the runs that its script calls.

        No other root run: whoever asked for that one shall not wait for our end.
        """
        if not self._taken and self._run is not None:
            self._claim_own(self._run.id)
        while claimed := self._engine.store.runs.claim(self.id, root_slots=0):
            self._start(claimed)

    def _claim_own(self, run_id: str) -> None:
        store = self._engine.store
        claimed = store.runs.claim(self.id, root_slots=1, only=run_id, expected=not self._waits)
        if claimed is not None:
            self._start(claimed)
            return
        self._waits = True
        run = store.runs.get(run_id)
        if run is None or run.status.terminal:  # whoever took us for dead ended it
            self._taken = True

    def _reap(self) -> None:
        """Whoever holds a lock that a run of ours waits for may have died with nobody else here."""
        if time.monotonic() >= self._next_reap:
            self._next_reap = time.monotonic() + REAP_SECONDS
            self._engine.reap()

    def _start(self, claimed: Claimed) -> None:
        stop = Stop()
        with self._lock:
            self._active[claimed.run.id] = stop
            self._taken = self._taken or self._is_ours(claimed.run)
        threading.Thread(
            target=self._execute, args=(claimed, stop), name=f"run-{claimed.run.id}", daemon=True
        ).start()

    def _is_ours(self, run: Run) -> bool:
        return self._run is not None and run.id == self._run.id

    def _execute(self, claimed: Claimed, stop: Stop) -> None:
        try:
            self._engine.execute(claimed, self.id, stop)
        except Exception as error:  # noqa: BLE001 - as above
            log.failure("run.not_recorded", run_id=claimed.run.id)
            if self._is_ours(claimed.run):
                self._failure = _as_ours(error)
        finally:
            with self._lock:
                del self._active[claimed.run.id]
            self._wake()

    def _obey(self) -> None:
        """Pass on what signals asked for: first recorded, so that the record says by whom."""
        if self._abandoned:
            if not self._taken and self._run is not None:
                self._engine.store.runs.request_cancel(self._run.id, GUARDIAN_ENDED)
            self._stop_all(StopReason.DRAIN, at_once=True)
        elif self._interrupts > self._told_interrupts:
            told = self._interrupts
            if self._run is not None:
                self._cancel(self._run)
            self._told_interrupts = told
            self._stop_all(StopReason.CANCEL, at_once=told > 1)

    def _cancel(self, run: Run) -> None:
        try:
            self._engine.cancel(run, self._principal)
        except RunbookError:
            if not self._taken:  # it has no script to stop: only the request ends it
                raise

    def _stop_all(self, reason: StopReason, *, at_once: bool) -> None:
        with self._lock:
            stops = list(self._active.values())
        for stop in stops:
            stop.request(reason, at_once=at_once)

    def _stop_cancelled(self) -> None:
        """What others asked for, and what the end of a parent asks of its children."""
        for run_id in self._engine.store.workers.cancel_requested(self.id):
            with self._lock:
                stop = self._active.get(run_id)
            if stop is not None:
                stop.request(StopReason.CANCEL)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_write, b"!")

    def _clear_wakeups(self) -> None:
        with suppress(OSError):
            self._wakeups.drain()
        with suppress(BlockingIOError):
            while os.read(self._wake_read, 4096):
                pass


def _as_ours(error: Exception) -> RunbookError:
    if isinstance(error, RunbookError):
        return error
    return RunbookError(f"The engine failed: {type(error).__name__}")
