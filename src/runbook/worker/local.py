"""A worker: claims runs and executes them, each in a thread of its own.

`python -m runbook.worker.local` is started by the supervisor of `runbook serve`, which hands it the
sealed environment and the lifeline that tells it when the supervisor has died.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import FrameType

from runbook import log
from runbook.bootstrap import build_engine, started_with
from runbook.engine.engine import Engine
from runbook.engine.process.limits import Limits, inherit_limits
from runbook.engine.process.run import Stop, StopReason
from runbook.engine.process.workspace import remove_stale
from runbook.engine.record.configuration import record_configuration
from runbook.engine.wakeups import CANCEL, QUEUED, Role
from runbook.errors import RunbookError, StoreBusyError, StoreUnavailableError
from runbook.host import guard, proctable
from runbook.host.identity import process_identity
from runbook.settings import METRICS_DIR, Settings, use_metrics_directory
from runbook.store.models import Claimed, Worker, WorkerKind

BEAT_SECONDS = 1.0
REAP_SECONDS = 10.0
PURGE_SECONDS = 3600.0
SWITCH_SECONDS = 0.0005
MOST_THREADS = 1024
"""Far more than slots: parents keep theirs while their children run."""
DAY_MS = 24 * 3600 * 1000


@dataclass(slots=True)
class ActiveRun:
    """A run that a thread of this worker executes."""

    claimed: Claimed
    stop: Stop = field(default_factory=Stop)

    @property
    def is_root(self) -> bool:
        return self.claimed.run.tree.parent_id is None


class LocalWorker:
    """Executes at most `slots` runs at once; a child run uses its parent's slot.

    The main thread only waits: for wake-ups, which it hands on, and for the next heartbeat. Pool
    threads claim and execute, so that nothing stands between a wake-up and the script's start.
    """

    def __init__(self, engine: Engine, *, slots: int, drain_s: float, retention_days: int) -> None:
        self.id = f"worker-{uuid.uuid4()}"
        self._engine = engine
        self._slots = slots
        self._drain_s = drain_s
        self._retention_ms = retention_days * DAY_MS
        self._lock = threading.Lock()
        self._claiming = threading.Lock()
        self._active: dict[str, ActiveRun] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._drain_until: float | None = None
        self._abandoned = False
        self._beat_said_draining = False
        self._next_beat = self._next_reap = self._next_purge = 0.0

    def run(self) -> None:
        """Work until a drain has ended. Raises StoreUnavailableError if it cannot begin."""
        self._register()
        log.event("worker.started", worker_id=self.id, slots=self._slots)
        try:
            with (
                selectors.DefaultSelector() as selector,
                ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="run") as pool,
            ):
                selector.register(self._engine.parts.wakeups.open(), selectors.EVENT_READ)
                selector.register(self._wake_read, selectors.EVENT_READ)
                pool.submit(self._take_runs)
                while not self._finished():
                    self._turn(pool, [key.fd for key, _ in selector.select(BEAT_SECONDS)])
        finally:
            self._leave()

    def drain(self) -> None:
        """Claim nothing more and let scripts end; a second call ends them at once."""
        now = time.monotonic()
        self._drain_until = now + self._drain_s if self._drain_until is None else now
        self.wake()

    def abandon(self) -> None:
        """The supervisor is gone: end every script at once and stop."""
        self._abandoned = True
        self._drain_until = time.monotonic()
        self.wake()

    def wake(self) -> None:
        """Make the loop take another turn; safe in a signal handler and in any thread."""
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_write, b"!")

    def _finished(self) -> bool:
        with self._lock:
            return self._drain_until is not None and not self._active

    def _turn(self, pool: ThreadPoolExecutor, ready: Sequence[int]) -> None:
        """Hand on what woke us, and do what is due. A store that is busy is asked again later."""
        messages = self._messages(ready)
        beating = time.monotonic() >= self._next_beat
        for _ in range(messages.count(QUEUED)):
            pool.submit(self._take_runs, expected=True)
        try:
            if CANCEL in messages or beating:
                self._stop_cancelled()
                pool.submit(self._take_runs)
            self._beat()
            self._tend()
        except (StoreBusyError, StoreUnavailableError) as error:
            log.warning("worker.store_trouble", worker_id=self.id, error=error.message)
        self._enforce_drain()

    def _messages(self, ready: Sequence[int]) -> list[str]:
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)
        return self._engine.parts.wakeups.drain() if len(ready) > (self._wake_read in ready) else []

    def _register(self) -> None:
        now = self._engine.parts.clock()
        worker = Worker(
            id=self.id,
            kind=WorkerKind.LOCAL,
            slots=self._slots,
            started_at=now,
            beat_at=now,
            **process_identity(),
        )
        self._engine.store.workers.register(worker)
        self._engine.reap()
        self._remove_stale()

    def _remove_stale(self) -> None:
        active = {run.id for run in self._engine.store.runs.active()}
        remove_stale(self._engine.parts.options.execution_dir, active)

    def _beat(self) -> None:
        now = time.monotonic()
        draining = self._drain_until is not None
        if now < self._next_beat and draining == self._beat_said_draining:
            return
        self._engine.store.workers.beat(self.id, draining=draining)
        self._beat_said_draining = draining
        self._next_beat = now + BEAT_SECONDS

    def _stop_cancelled(self) -> None:
        for run_id in self._engine.store.workers.cancel_requested(self.id):
            with self._lock:
                active = self._active.get(run_id)
            if active is not None:
                active.stop.request(StopReason.CANCEL)

    def _take_runs(self, *, expected: bool = False) -> None:
        """In a pool thread: claim and execute, until there is nothing that may be claimed."""
        try:
            while (active := self._claim(expected=expected)) is not None:
                self._execute(active)
                expected = False
        except RunbookError as error:
            log.warning("worker.store_trouble", worker_id=self.id, error=error.message)
        except Exception:  # noqa: BLE001 - a fault of ours must be seen; the next wake-up tries again
            log.failure("worker.fault", worker_id=self.id)

    def _claim(self, *, expected: bool) -> ActiveRun | None:
        """One claim at a time, so that two threads do not take one slot.

        Child runs are claimed even while draining: their parents wait for them.
        """
        with self._claiming:
            claimed = self._engine.store.runs.claim(
                self.id, root_slots=self._free_slots(), expected=expected
            )
            if claimed is None:
                return None
            active = ActiveRun(claimed)
            with self._lock:
                self._active[claimed.run.id] = active
            return active

    def _free_slots(self) -> int:
        if self._drain_until is not None:
            return 0
        with self._lock:
            roots = sum(active.is_root for active in self._active.values())
        return max(0, self._slots - roots)

    def _execute(self, active: ActiveRun) -> None:
        run = active.claimed.run
        try:
            self._engine.execute(active.claimed, self.id, active.stop)
        except RunbookError as error:
            log.failure("run.not_recorded", run_id=run.id, error=error.message)
        finally:
            with self._lock:
                del self._active[run.id]
            if self._drain_until is not None:
                self.wake()

    def _enforce_drain(self) -> None:
        if self._drain_until is None or time.monotonic() < self._drain_until:
            return
        with self._lock:
            stops = [active.stop for active in self._active.values()]
        for stop in stops:
            stop.request(StopReason.DRAIN, at_once=self._abandoned)

    def _tend(self) -> None:
        """What is due now and then: dead workers' runs, and runs past their retention."""
        now = time.monotonic()
        if now >= self._next_reap:
            self._next_reap = now + REAP_SECONDS
            self._engine.parts.families.reap_orphans()
            self._engine.reap()
            self._end_forgotten()
        if now >= self._next_purge:
            self._next_purge = now + PURGE_SECONDS
            store = self._engine.store
            store.maintenance.purge(self._engine.parts.clock() - self._retention_ms)
            self._engine.parts.artifacts.purge(store.runs.known)

    def _end_forgotten(self) -> None:
        with self._claiming, self._lock:  # or a run just claimed would look forgotten
            executing = set(self._active)
            self._engine.end_forgotten(self.id, executing)

    def _leave(self) -> None:
        try:
            self._engine.store.workers.remove(self.id)
        except RunbookError as error:
            log.warning("worker.not_removed", worker_id=self.id, error=error.message)
        self._engine.parts.wakeups.close()
        log.event("worker.stopped", worker_id=self.id)


def main() -> int:
    environment = guard.seal_environment()
    lifeline = guard.take_lifeline()
    guard.make_undumpable()
    proctable.become_subreaper()
    inherit_limits(Limits())
    try:
        return _work(environment, lifeline)
    except RunbookError as error:
        sys.stderr.write(f"runbook: {error.message}\n")
        return error.exit_code


def _work(environment: Mapping[str, str], lifeline: int | None) -> int:
    settings = Settings.load(environment)
    if directory := environment.get(METRICS_DIR):
        use_metrics_directory(directory)
    from runbook.metrics import RunMetrics  # after the directory is set: it is read at import

    log.configure(settings.logging_level)
    engine = build_engine(settings, Role.WORKER, RunMetrics())
    engine.store.maintenance.migrate()
    record_configuration(engine.store.audit, started_with(settings))
    worker = LocalWorker(
        engine,
        slots=settings.max_parallel_runs,
        drain_s=settings.drain_seconds,
        retention_days=settings.retention_days,
    )

    def on_terminate(_number: int, _frame: FrameType | None) -> None:
        worker.drain()

    # Run threads are mostly waiting; one that wakes up must not wait for another's time slice.
    sys.setswitchinterval(SWITCH_SECONDS)
    signal.signal(signal.SIGTERM, on_terminate)
    # Handled, not ignored: scripts would inherit that, and could not be interrupted.
    signal.signal(signal.SIGINT, lambda *_: None)
    if lifeline is not None:
        guard.watch_lifeline(lifeline, worker.abandon)
    worker.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
