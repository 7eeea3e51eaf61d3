"""Periodic tasks of workers.

A task of the store is performed by the worker that takes its lease, so that several workers don't
repeat it. A task of a host or a process is performed by each worker.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from functools import partial

from runbook import log
from runbook.engine.engine import Engine
from runbook.quick_dataclass import dataclass
from runbook.store.leases import Leases

REAP_SECONDS = 3.0
"""Short, because a run may be waiting for a lock that a dead worker's run holds."""
RECOVER_SECONDS = 3.0
FORGOTTEN_SECONDS = 10.0
ORPHANS_SECONDS = 10.0
PURGE_SECONDS = 3600.0
ARTIFACTS_SECONDS = 3600.0
STALE_SECONDS = 3600.0


class Scope(Enum):
    """What a task applies to. Only a task of the store needs a lease."""

    STORE = auto()
    HOST = auto()
    PROCESS = auto()


@dataclass(frozen=True, slots=True)
class Task:
    """Work to do every `seconds`. It may take long; what it raises is logged."""

    name: str
    scope: Scope
    seconds: float
    work: Callable[[], object]

    @property
    def interval_ms(self) -> int:
        return round(self.seconds * 1000)


@dataclass(frozen=True, slots=True)
class Retention:
    """Retention of finished runs and audit events, in days; 0 keeps all audit events."""

    run_days: int
    audit_days: int


def reap_task(engine: Engine) -> Task:
    return Task("reap", Scope.STORE, REAP_SECONDS, partial(engine.reap, everywhere=True))


def worker_tasks(
    engine: Engine, end_forgotten: Callable[[], object], retention: Retention
) -> tuple[Task, ...]:
    """All tasks of a server's worker. `end_forgotten` belongs to that worker."""
    upkeep = engine.upkeep

    def purge() -> None:
        upkeep.purge_runs(retention.run_days)

    def purge_audit() -> None:
        upkeep.purge_audit(retention.audit_days)

    def purge_artifacts() -> None:
        upkeep.purge_artifacts(retention.run_days)

    return (
        reap_task(engine),
        Task("recover", Scope.STORE, RECOVER_SECONDS, engine.start_recoveries),
        Task("purge", Scope.STORE, PURGE_SECONDS, purge),
        Task("purge-audit", Scope.STORE, PURGE_SECONDS, purge_audit),
        Task("purge-artifacts", Scope.HOST, ARTIFACTS_SECONDS, purge_artifacts),
        Task(
            "remove-stale-directories", Scope.HOST, STALE_SECONDS, upkeep.remove_stale_directories
        ),
        Task("end-forgotten-runs", Scope.PROCESS, FORGOTTEN_SECONDS, end_forgotten),
        Task("reap-orphans", Scope.PROCESS, ORPHANS_SECONDS, upkeep.reap_orphans),
    )


class Periodic:
    """Starts the tasks of one worker in pool threads when they are due.

    The worker's loop calls `start_due` and `renew`; neither waits for a task.
    """

    def __init__(self, tasks: Sequence[Task], leases: Leases, holder: str) -> None:
        self._tasks = tuple(tasks)
        self._leases = leases
        self._holder = holder
        self._due = {task.name: 0.0 for task in self._tasks}
        """When each task is due next; infinity while it is in progress."""
        self._lock = threading.Lock()
        self._renew_at: dict[str, float] = {}
        """When to extend each lease that this worker holds."""

    def start_due(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        for task in self._tasks:
            if self._due[task.name] <= now:
                self._due[task.name] = math.inf
                try:
                    pool.submit(self._attempt, task)
                except RuntimeError as error:  # no new thread: the next free one does it
                    log.warning("worker.no_thread", worker_id=self._holder, error=str(error))

    def renew(self) -> None:
        """Extend the leases of tasks that take longer than their interval."""
        now = time.monotonic()
        for task in self._tasks:
            with self._lock:
                due = self._renew_at.get(task.name, math.inf) <= now
                if due:
                    self._renew_at[task.name] = now + task.seconds
            if due:
                self._leases.renew(task.name, self._holder, task.interval_ms)

    def _attempt(self, task: Task) -> None:
        try:
            due = self._perform(task)
        except Exception:  # noqa: BLE001 - whatever it is, the task is retried when it is due next
            log.failure("task.failed", task=task.name, worker_id=self._holder)
            due = time.monotonic() + task.seconds
        self._due[task.name] = due

    def _perform(self, task: Task) -> float:
        """Perform the task unless another worker just did. Returns when it is due next."""
        wait_ms = 0
        if task.scope is Scope.STORE:
            wait_ms = self._leases.take(task.name, self._holder, task.interval_ms)
        begun = time.monotonic()
        if wait_ms:
            return begun + wait_ms / 1000
        if task.scope is Scope.STORE:
            self._perform_under_lease(task)
        else:
            task.work()
        log.event("task.done", level=logging.DEBUG, task=task.name, worker_id=self._holder)
        return begun + task.seconds

    def _perform_under_lease(self, task: Task) -> None:
        done = False
        with self._lock:
            self._renew_at[task.name] = time.monotonic() + task.seconds
        try:
            task.work()
            done = True
        finally:
            with self._lock:
                del self._renew_at[task.name]
            self._leases.give_back(task.name, self._holder, done=done)
