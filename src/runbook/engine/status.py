"""The state of the engine: for operators, and for load balancers and orchestrators."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

from runbook.core.document import Problem
from runbook.engine.isolation.isolated import Isolated
from runbook.engine.isolation.isolation import published
from runbook.engine.parts import Parts
from runbook.engine.problems import problem_of
from runbook.errors import RunbookError
from runbook.quick_dataclass import dataclass
from runbook.store.models import DatabaseState, QueueStats, Worker, WorkerKind


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """`running` counts the runs that each worker executes, by its id. See `Health.problems`."""

    database: DatabaseState
    queue: QueueStats
    workers: tuple[Worker, ...]
    running: Mapping[str, int]
    problems: tuple[Problem, ...]
    isolated: Isolated | None
    """How this server isolates scripts; None if its worker hasn't said so yet."""


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """Of the workers of servers. `heartbeat_age_s` is the longest time that one has been silent."""

    count: int
    slots: int
    heartbeat_age_s: float


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Sizes in bytes of the file system of a folder, which is `data`, `runbooks` or `execution`."""

    folder: str
    free: int
    size: int


class Health:
    """`Engine.health`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store

    def status(self) -> EngineStatus:
        """Raises StoreBusyError and StoreUnavailableError."""
        return EngineStatus(
            database=self._store.maintenance.state(),
            queue=self.queue(),
            workers=tuple(self._store.workers.all()),
            running=self._store.workers.run_counts(),
            problems=tuple(self.problems()),
            isolated=self.isolated(),
        )

    def isolated(self) -> Isolated | None:
        """How this server isolates scripts; None if its worker hasn't said so yet."""
        return published(self._parts.options.data_dir)

    @property
    def database_kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._store.maintenance.kind

    def queue(self) -> QueueStats:
        """Raises StoreBusyError and StoreUnavailableError."""
        return self._store.runs.queue_stats()

    def queue_age_s(self, queue: QueueStats) -> float:
        """For how long the oldest queued run has been waiting; 0 if there is none."""
        oldest = queue.oldest_queued_at
        return 0.0 if oldest is None else max(0, self._parts.clock() - oldest) / 1000

    def workers(self) -> WorkerStats:
        """Raises StoreBusyError and StoreUnavailableError."""
        found = [one for one in self._store.workers.all() if one.kind is not WorkerKind.CLI]
        silence = max((self._parts.clock() - one.beat_at for one in found), default=0)
        return WorkerStats(len(found), sum(one.slots for one in found), max(0, silence) / 1000)

    def last_lost_s(self) -> float:
        """When the last run was lost, in seconds since the epoch; 0 if none was.

        Raises StoreBusyError and StoreUnavailableError.
        """
        return (self._store.runs.last_lost_at() or 0) / 1000

    def disks(self) -> list[DiskSpace]:
        """The folders that grow. Those that can't be read are omitted."""
        options = self._parts.options
        folders = {
            "data": options.data_dir,
            "runbooks": self._parts.catalog.sources.root.folder,
            "execution": options.execution_dir,
        }
        found = []
        for name, folder in folders.items():
            try:
                usage = shutil.disk_usage(folder)
            except OSError:
                continue
            found.append(DiskSpace(name, usage.free, usage.total))
        return found

    def problems(self) -> list[Problem]:
        """Why runs cannot be accepted and executed; empty if they can."""
        found = []
        try:
            self._store.check()
            if not self.queue().accepting:
                text = "no worker accepts runs: it is starting, draining or gone"
                found.append(Problem("no_worker", text))
        except RunbookError as error:
            found.append(problem_of(error))
        if not self._parts.catalog.sources.root.folder.is_dir():
            found.append(Problem("runbooks_dir_missing", "RUNBOOKS_DIR is not a folder"))
        return found
