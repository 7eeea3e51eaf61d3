"""How the engine does: for operators, and for machines that decide whether to send it work."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from runbook.core.times import iso
from runbook.engine.parts import Parts
from runbook.engine.wire import Json
from runbook.errors import RunbookError
from runbook.store.models import DatabaseState, QueueStats, Worker


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """`running` counts the runs that each worker executes, by its id."""

    database: DatabaseState
    queue: QueueStats
    workers: tuple[Worker, ...]
    running: Mapping[str, int]
    reasons: tuple[str, ...]


def engine_status(parts: Parts) -> EngineStatus:
    """Raises StoreBusyError and StoreUnavailableError."""
    return EngineStatus(
        database=parts.store.maintenance.state(),
        queue=parts.store.runs.queue_stats(),
        workers=tuple(parts.store.workers.all()),
        running=parts.store.workers.run_counts(),
        reasons=tuple(reasons_not_ready(parts)),
    )


def reasons_not_ready(parts: Parts) -> list[str]:
    """Why runs cannot be accepted and executed; empty where they can."""
    reasons = []
    try:
        parts.store.check()
        if not parts.store.runs.queue_stats().accepting:
            reasons.append("no worker takes runs: it is starting, draining or gone")
    except RunbookError as error:
        reasons.append(error.message)
    if not parts.options.runbooks_dir.is_dir():
        reasons.append("RUNBOOKS_DIR is not a folder")
    return reasons


def engine_status_json(status: EngineStatus) -> Json:
    oldest = status.queue.oldest_queued_at
    return {
        "database": dataclasses.asdict(status.database),
        "queue": {
            "queued": status.queue.queued,
            "waiting": status.queue.waiting,
            "running": status.queue.running,
            "oldest_queued_at": None if oldest is None else iso(oldest),
            "accepting": status.queue.accepting,
        },
        "workers": [worker_json(item, status.running.get(item.id, 0)) for item in status.workers],
        "ready": not status.reasons,
        "reasons": list(status.reasons),
    }


def worker_json(worker: Worker, running: int) -> Json:
    return {
        "id": worker.id,
        "kind": worker.kind.value,
        "host": worker.host,
        "slots": worker.slots,
        "started_at": iso(worker.started_at),
        "beat_at": iso(worker.beat_at),
        "draining": worker.draining,
        "running": running,
    }
