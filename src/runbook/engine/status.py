"""How the engine does: for operators, and for machines that decide whether to send it work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runbook.core.document import Problem
from runbook.engine.parts import Parts
from runbook.engine.problems import problem_of
from runbook.errors import RunbookError
from runbook.store.models import DatabaseState, QueueStats, Worker


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """`running` counts the runs that each worker executes, by its id. See `not_ready`."""

    database: DatabaseState
    queue: QueueStats
    workers: tuple[Worker, ...]
    running: Mapping[str, int]
    problems: tuple[Problem, ...]


def engine_status(parts: Parts) -> EngineStatus:
    """Raises StoreBusyError and StoreUnavailableError."""
    return EngineStatus(
        database=parts.store.maintenance.state(),
        queue=parts.store.runs.queue_stats(),
        workers=tuple(parts.store.workers.all()),
        running=parts.store.workers.run_counts(),
        problems=tuple(not_ready(parts)),
    )


def not_ready(parts: Parts) -> list[Problem]:
    """Why runs cannot be accepted and executed; empty where they can."""
    found = []
    try:
        parts.store.check()
        if not parts.store.runs.queue_stats().accepting:
            text = "no worker takes runs: it is starting, draining or gone"
            found.append(Problem("no_worker", text))
    except RunbookError as error:
        found.append(problem_of(error))
    if not parts.catalog.sources.root.folder.is_dir():
        found.append(Problem("runbooks_dir_missing", "RUNBOOKS_DIR is not a folder"))
    return found
