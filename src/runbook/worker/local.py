"""The server's worker: executes all runs and performs the periodic tasks.

The supervisor of `runbook serve` starts it as `python -m runbook.worker`, with the sealed
environment and a lifeline that tells it when the supervisor dies.
"""

from __future__ import annotations

import signal
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType

from runbook import log
from runbook.bootstrap import (
    build_catalogue,
    build_engine,
    build_toolkits,
    script_limits,
    started_with,
)
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.engine.isolation.isolation import publish
from runbook.engine.process.limits import inherit_limits, runs_allowed
from runbook.engine.process.run import StopReason
from runbook.engine.wakeups import Role
from runbook.errors import CatalogueError, ConflictError, RunbookError
from runbook.host import garbage, guard, lines, proctable, sealing, signals
from runbook.settings import Settings, share_metrics
from runbook.store.models import WorkerKind
from runbook.toolkits.catalogue import Catalogue
from runbook.toolkits.toolkits import Toolkits
from runbook.worker.periodic import Retention, Scope, Task, worker_tasks
from runbook.worker.slots import FORM_SLOTS, ClaimLoop, Terms

SWITCH_SECONDS = 0.0005
SETTLE_SECONDS = 5.0
"""How soon it's recorded which version an installer that was killed has left."""
UPDATES_SECONDS = 24 * 3600.0


class LocalWorker:
    """Executes runs until it is drained. Implements the `Orders` of its own loop."""

    only = None

    def __init__(
        self,
        engine: Engine,
        *,
        slots: int,
        drain_s: float,
        retention: Retention,
        queues: frozenset[str] | None = None,
        more: Sequence[Task] = (),
    ) -> None:
        """`more` are periodic tasks beside those that the engine needs."""
        self.id = f"worker-{uuid.uuid4()}"
        self._engine = engine
        self._slots = slots
        self._drain_s = drain_s
        self._drain_until: float | None = None
        self._abandoned = False
        tasks = (*worker_tasks(engine, self._end_forgotten, retention), *more)
        terms = Terms(self.id, WorkerKind.LOCAL, slots, queues)
        self._loop = ClaimLoop(engine, engine.wakeups, terms, self, tasks)

    def run(self) -> None:
        """Work until drained. Raises StoreUnavailableError if it can't start."""
        self._loop.register()
        self._engine.reap()  # before the first claim: a dead worker's run may hold a lock it needs
        log.event("worker.started", worker_id=self.id, slots=self._slots)
        try:
            self._loop.run()
        finally:
            self._loop.leave()
            log.event("worker.stopped", worker_id=self.id)

    def drain(self) -> None:
        """Stop claiming root runs and let scripts finish; a second call stops them immediately."""
        now = time.monotonic()
        self._drain_until = now + self._drain_s if self._drain_until is None else now
        self._loop.wake()

    def abandon(self) -> None:
        """Kill every script and stop, because the supervisor is gone."""
        self._abandoned = True
        self._drain_until = time.monotonic()
        self._loop.wake()

    @property
    def draining(self) -> bool:
        return self._drain_until is not None

    def finished(self) -> bool:
        return self.draining

    def obey(self) -> None:
        if self._drain_until is not None and time.monotonic() >= self._drain_until:
            self._loop.stop_all(StopReason.DRAIN, at_once=self._abandoned)

    def failed(self, error: Exception, run: Run | None) -> None:
        """Do nothing: the next wake-up retries, and a periodic task ends forgotten runs."""

    def _end_forgotten(self) -> None:
        self._loop.end_forgotten()


def main() -> int:
    environment = sealing.seal_environment()
    lifeline = guard.take_lifeline()
    guard.make_undumpable()
    proctable.become_subreaper()
    lines.take_over_stderr()
    signals.keep_ignoring()
    signals.disregard({*signals.STRAY, signal.SIGHUP, signal.SIGINT})
    try:
        return _work(environment, lifeline)
    except RunbookError as error:
        sys.stderr.write(f"runbook: {error.message}\n")
        return error.exit_code


def _settle(toolkits: Toolkits) -> None:
    try:
        toolkits.settle()
    except (OSError, ConflictError) as error:  # the runs don't depend on it
        log.warning("toolkits.unreadable", error=str(error))


def _look_for_updates(catalogue: Catalogue) -> None:
    with suppress(CatalogueError):  # logged, and shown with the toolkits
        catalogue.check()


def _toolkit_tasks(settings: Settings, toolkits: Toolkits) -> tuple[Task, ...]:
    settle = Task("settle-toolkits", Scope.HOST, SETTLE_SECONDS, partial(_settle, toolkits))
    catalogue = build_catalogue(settings)
    if catalogue is None:
        return (settle,)
    look = partial(_look_for_updates, catalogue)
    return settle, Task("look-for-toolkits", Scope.HOST, UPDATES_SECONDS, look)


def _work(environment: Mapping[str, str], lifeline: int | None) -> int:
    settings = Settings.load(environment)
    slots = runs_allowed(settings.max_parallel_runs)
    inherit_limits(script_limits(settings), slots + FORM_SLOTS)
    share_metrics(environment)
    from runbook.metrics import RunMetrics  # reads the directory when it is imported

    log.configure(settings.logging_level)
    if slots < settings.max_parallel_runs:
        log.warning("worker.slots_reduced", slots=slots, reason="too few open files allowed")
    engine = build_engine(settings, Role.WORKER, RunMetrics())
    publish(engine.options.isolation.settle(fresh=True), settings.data_dir)
    engine.open()
    engine.upkeep.check_clock_at_start()
    engine.record_start(started_with(settings))
    toolkits = build_toolkits(settings, engine)
    _settle(toolkits)
    worker = LocalWorker(
        engine,
        slots=slots,
        drain_s=settings.drain_seconds,
        retention=Retention(settings.retention_days, settings.audit_retention_days),
        more=_toolkit_tasks(settings, toolkits),
    )

    def on_terminate(_number: int, _frame: FrameType | None) -> None:
        worker.drain()

    # Run threads mostly wait. One that wakes up must not wait for another's time slice.
    sys.setswitchinterval(SWITCH_SECONDS)
    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, on_terminate)
    if lifeline is not None:
        guard.watch_lifeline(lifeline, worker.abandon)
    garbage.resume()
    worker.run()
    return 0
