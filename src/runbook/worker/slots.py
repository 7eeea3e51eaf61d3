"""The loop of every worker: claims and executes runs, sends heartbeats, handles cancellation.

The thread that calls `ClaimLoop.run` only waits for wake-ups, which it passes on, and for the next
heartbeat. Pool threads claim and execute, so that nothing delays a script's start after a wake-up
(docs/adr/004).
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol

from runbook import log
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.engine.process.run import Stop, StopReason
from runbook.engine.wakeups import CANCEL, QUEUED, ROOT_QUEUED, Wakeups
from runbook.errors import RunbookError, StoreDamagedError
from runbook.quick_dataclass import dataclass
from runbook.store.models import Claimed, WorkerKind
from runbook.worker.periodic import Periodic, Task

BEAT_SECONDS = 1.0
MOST_THREADS = 1024
"""Far more than slots: parent runs occupy threads while their child runs execute."""
FORM_SLOTS = 4
"""They only read, for at most a few seconds."""
TASK_THREADS = 4
"""More than one, so that a slow task doesn't hold up the others."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A worker's identity and what it claims: at most `slots` root runs at a time.

    Runs for the choices of forms have `form_slots`: neither waits for the other. A
    child run uses its parent's slot. If `queues` is None, runs of every queue.
    """

    id: str
    kind: WorkerKind
    slots: int
    queues: frozenset[str] | None = None
    form_slots: int = FORM_SLOTS


class Orders(Protocol):
    """How one kind of worker differs from another. Called from several threads."""

    @property
    def only(self) -> str | None:
        """The ID of the only run to execute, with the runs that it calls; None for any run."""

    @property
    def draining(self) -> bool:
        """Whether to claim only child runs, which their parents wait for."""

    def finished(self) -> bool:
        """Whether the loop ends as soon as nothing is executing."""

    def obey(self) -> None:
        """Act on signals that arrived. Called in each turn of the loop."""

    def failed(self, error: Exception, run: Run | None) -> None:
        """Handle an unexpected error, already logged, from executing `run` or from claiming."""


@dataclass(frozen=True, slots=True)
class _ActiveRun:
    """A run that a thread of this worker is executing."""

    claimed: Claimed
    stop: Stop

    @property
    def is_root(self) -> bool:
        return self.claimed.run.tree.parent_id is None


class ClaimLoop:
    """One worker's loop. `wake` may be called from a signal handler."""

    def __init__(
        self,
        engine: Engine,
        wakeups: Wakeups,
        terms: Terms,
        orders: Orders,
        tasks: Sequence[Task] = (),
    ) -> None:
        self._engine = engine
        self._wakeups = wakeups
        self._terms = terms
        self._orders = orders
        self._periodic = Periodic(tasks, engine.workers.leases, terms.id)
        self._lock = threading.Lock()
        self._claiming = threading.Lock()
        self._active: dict[str, _ActiveRun] = {}
        self._threads = 0
        """Number of pool threads that claim or execute, or are about to."""
        # Reentrant: a signal handler may interrupt its own thread while that holds the lock.
        self._alarm_lock = threading.RLock()
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._open = True
        self._next_beat = 0.0
        self._beat_said_draining = False

    def register(self) -> None:
        """Register the worker. Raises StoreBusyError and StoreUnavailableError."""
        terms = self._terms
        self._engine.workers.register(terms.id, terms.kind, terms.slots)

    def run(self) -> None:
        """Work until the orders say that it is finished and nothing is executing.

        An unexpected error kills the scripts, because their heartbeats would stop.
        """
        with (
            selectors.DefaultSelector() as selector,
            ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="run") as pool,
            # Their own threads: the runs of a quiet worker then share one or two, which is faster.
            ThreadPoolExecutor(TASK_THREADS, thread_name_prefix="task") as tasks,
        ):
            selector.register(self._alarm, selectors.EVENT_READ)
            with suppress(OSError):  # a file system without sockets: heartbeats suffice
                selector.register(self._wakeups.open(), selectors.EVENT_READ)
            try:
                self._take(pool, expected=True)
                while not self._finished():
                    ready = selector.select(BEAT_SECONDS)
                    self._turn(pool, self._messages([key.fd for key, _ in ready]))
                    self._periodic.start_due(tasks)
            except BaseException:
                self.stop_all(StopReason.DRAIN, at_once=True)
                raise

    def wake(self) -> None:
        """Make the loop take another turn."""
        with self._alarm_lock:
            if self._open:
                os.eventfd_write(self._alarm, 1)

    def stop_all(self, reason: StopReason, *, at_once: bool = False) -> None:
        """Stop all scripts."""
        with self._lock:
            stops = [active.stop for active in self._active.values()]
        for stop in stops:
            stop.request(reason, at_once=at_once)

    def end_forgotten(self) -> None:
        """End runs that this worker owns but no longer executes, after the store failed."""
        with self._claiming:  # or a run just claimed would look forgotten
            with self._lock:
                executing = set(self._active)
            forgotten = self._engine.workers.forgotten(self._terms.id, executing)
        self._engine.workers.end_lost(forgotten)

    def executes(self, run_id: str) -> bool:
        with self._lock:
            return run_id in self._active

    def leave(self) -> None:
        """Unregister the worker and close its descriptors, after `run` has returned."""
        try:
            self._engine.workers.remove(self._terms.id)
        except RunbookError as error:
            log.warning("worker.not_removed", worker_id=self._terms.id, error=error.message)
        self._wakeups.close()
        with self._alarm_lock:
            if self._open:
                self._open = False
                os.close(self._alarm)

    def _finished(self) -> bool:
        with self._lock:
            if self._threads:
                return False
        return self._orders.finished()

    def _messages(self, ready: Sequence[int]) -> list[str]:
        others = set(ready)
        if self._alarm in others:
            others.remove(self._alarm)
            os.eventfd_read(self._alarm)
        return self._wakeups.drain() if others else []

    def _turn(self, pool: ThreadPoolExecutor, messages: Sequence[str]) -> None:
        """Pass on wake-ups and do what is due. If the store is busy, the next turn retries."""
        claimable = messages.count(QUEUED)
        # Without a free slot, the threads that execute claim it: they look for more at the end.
        if self._free_slots()[0]:
            claimable += messages.count(ROOT_QUEUED)
        for _ in range(claimable):
            # A one-shot worker reads before it takes the write lock: most wake-ups are for others.
            self._take(pool, expected=self._orders.only is None)
        try:
            self._orders.obey()
            if CANCEL in messages or self._beat_is_due():
                self._stop_cancelled()
                self._take(pool)
            self._beat()
        except RunbookError as error:
            self._store_trouble(error)

    def _beat_is_due(self) -> bool:
        return time.monotonic() >= self._next_beat

    def _beat(self) -> None:
        draining = self._orders.draining
        if not self._beat_is_due() and draining == self._beat_said_draining:
            return
        if not self._engine.workers.beat(self._terms.id, draining=draining):
            # Others removed it after a silence. Unregistered, it would lose the runs it claims.
            log.warning("worker.was_removed", worker_id=self._terms.id)
            self.register()
        self._beat_said_draining = draining
        self._next_beat = time.monotonic() + BEAT_SECONDS
        self._periodic.renew()

    def _stop_cancelled(self) -> None:
        """Stop runs that were cancelled, and children of runs that have ended."""
        for run_id in self._engine.workers.cancelled_runs(self._terms.id):
            with self._lock:
                active = self._active.get(run_id)
            if active is not None:
                active.stop.request(StopReason.CANCEL)

    def _take(self, pool: ThreadPoolExecutor, *, expected: bool = False) -> None:
        with self._lock:
            self._threads += 1
        try:
            pool.submit(self._take_runs, expected=expected)
        except RuntimeError as error:  # no new thread: the next free one does it
            log.warning("worker.no_thread", worker_id=self._terms.id, error=str(error))

    def _take_runs(self, *, expected: bool) -> None:
        """In a pool thread: claim and execute until there is nothing left to claim."""
        try:
            while (active := self._claim(expected=expected)) is not None:
                self._execute(active)
                expected = False
        except RunbookError as error:
            self._store_trouble(error)
        except Exception as error:  # noqa: BLE001 - must be logged; the next wake-up retries
            log.failure("worker.fault", worker_id=self._terms.id)
            self._orders.failed(error, None)
        finally:
            with self._lock:
                self._threads -= 1
            if self._orders.finished():
                self.wake()

    def _claim(self, *, expected: bool) -> _ActiveRun | None:
        """Claim one run at a time, so that two threads don't take one slot."""
        with self._claiming:
            stop = Stop()  # first: without a free descriptor, the run stays queued
            active: _ActiveRun | None = None
            free, for_forms = self._free_slots()
            try:
                claimed = self._engine.workers.claim(
                    self._terms.id,
                    root_slots=free,
                    form_slots=for_forms,
                    # Without a free slot, most wake-ups are for root runs that have to wait.
                    expected=expected and free > 0,
                    only=self._orders.only,
                    queues=self._terms.queues,
                )
                if claimed is not None:
                    active = _ActiveRun(claimed, stop)
                    with self._lock:
                        self._active[claimed.run.id] = active
            finally:
                if active is None:
                    stop.close()
            return active

    def _free_slots(self) -> tuple[int, int]:
        """For root runs, and for those for forms."""
        if self._orders.draining:
            return 0, 0
        with self._lock:
            roots = [active.claimed.run for active in self._active.values() if active.is_root]
        forms = sum(run.request.purpose is not None for run in roots)
        terms = self._terms
        return max(0, terms.slots - len(roots) + forms), max(0, terms.form_slots - forms)

    def _execute(self, active: _ActiveRun) -> None:
        run = active.claimed.run
        try:
            self._engine.execute(active.claimed, self._terms.id, active.stop)
        except Exception as error:  # noqa: BLE001 - the thread continues with the next run
            log.failure("run.not_recorded", run_id=run.id)
            self._orders.failed(error, run)
        finally:
            with self._lock:
                del self._active[run.id]

    def _store_trouble(self, error: RunbookError) -> None:
        log.warning("worker.store_trouble", worker_id=self._terms.id, error=error.message)
        if isinstance(error, StoreDamagedError):
            self.stop_all(StopReason.STORE)
