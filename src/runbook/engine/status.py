"""The state of the engine: for operators, and for load balancers and orchestrators."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.core.document import Problem
from runbook.engine.isolation.isolated import Isolated
from runbook.engine.isolation.isolation import published
from runbook.engine.parts import Parts
from runbook.engine.problems import problem_of
from runbook.errors import RunbookError
from runbook.quick_dataclass import dataclass
from runbook.store.models import DatabaseState, QueueStats, Worker


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
