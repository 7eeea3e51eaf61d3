"""The processes that execute runs: registration, heartbeats, and the runs they own."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.store.conditions import IS_ACTIVE
from runbook.store.models import Worker, WorkerKind
from runbook.store.reading import RUN_COLUMNS, runs_of
from runbook.store.rows import Component
from runbook.store.tables import runs, workers

FRESH_BEAT_MS = 15_000
"""How long a worker may be silent: three heartbeats, every 5 s."""

_THIS = workers.c.id == sa.bindparam("worker_id")
_DELETE = sa.delete(workers).where(_THIS)
_INSERT = sa.insert(workers)
_BEAT = (
    sa.update(workers)
    .where(_THIS)
    .values(beat_at=sa.bindparam("at"), draining=sa.bindparam("drains", type_=sa.Boolean))
)
_ALL = sa.select(workers).order_by(workers.c.started_at, workers.c.id)
_COUNT = sa.select(sa.func.count()).select_from(workers)
_ACCEPTING = (
    sa.select(sa.literal(1))
    .where(
        workers.c.kind != WorkerKind.CLI.value,
        workers.c.draining.is_(sa.false()),
        workers.c.beat_at >= sa.bindparam("fresh"),
    )
    .limit(1)
)

# The worker that a run depends on: its owner, or the only one that may claim it.
_HOLDER = sa.func.coalesce(runs.c.worker_id, runs.c.assigned_to)
_CANCELS = (
    sa.select(runs.c.id)
    .where(
        IS_ACTIVE,
        runs.c.status == RunStatus.RUNNING.value,
        runs.c.worker_id == sa.bindparam("worker_id"),
        runs.c.cancel_at.is_not(None),
    )
    .order_by(runs.c.seq)
)
_RUNNING = (
    sa.select(runs.c.worker_id, sa.func.count())
    .where(IS_ACTIVE, runs.c.status == RunStatus.RUNNING.value, runs.c.worker_id.is_not(None))
    .group_by(runs.c.worker_id)
)
_HELD = sa.select(*RUN_COLUMNS).where(IS_ACTIVE).order_by(runs.c.seq)
_OF_WORKER = _HELD.where(sa.bindparam("worker_id") == _HOLDER)
_OF_MISSING = _HELD.where(
    _HOLDER.is_not(None), ~sa.exists(sa.select(workers.c.id).where(workers.c.id == _HOLDER))
)


def accepting(connection: sa.Connection, now: Millis) -> bool:
    """Whether a shared worker has sent a heartbeat recently and is not draining."""
    return connection.scalar(_ACCEPTING, {"fresh": now - FRESH_BEAT_MS}) is not None


class Workers(Component):
    def register(self, worker: Worker) -> None:
        """Register a worker, replacing one with the same ID."""
        row = asdict(worker) | {"kind": worker.kind.value}

        def work(connection: sa.Connection) -> None:
            connection.execute(_DELETE, {"worker_id": worker.id})
            connection.execute(_INSERT, row)

        self._database.write(work)

    def beat(self, worker_id: str, *, draining: bool = False) -> bool:
        """Record a heartbeat. False if the worker was removed and its runs given up."""
        values = {"worker_id": worker_id, "at": self._clock(), "drains": draining}
        return self._database.write(lambda c: c.execute(_BEAT, values).rowcount == 1)

    def all(self) -> list[Worker]:
        """All known workers, oldest first. See `remove_damaged` for those that can't be read."""

        def work(connection: sa.Connection) -> list[Worker]:
            found = map(_worker_of, connection.execute(_ALL).mappings())
            return [worker for worker in found if worker is not None]

        return self._database.read(work)

    def run_counts(self) -> dict[str, int]:
        """The number of runs per worker ID; workers without runs are omitted."""

        def work(connection: sa.Connection) -> dict[str, int]:
            return {row[0]: row[1] for row in connection.execute(_RUNNING)}

        return self._database.read(work)

    def remove_damaged(self) -> int:
        """Remove the workers whose rows can't be read. Those that live register again."""

        def work(connection: sa.Connection) -> int:
            rows = connection.execute(_ALL).mappings().all()
            damaged = [{"worker_id": row["id"]} for row in rows if _worker_of(row) is None]
            if damaged:
                connection.execute(_DELETE, damaged)
            return len(damaged)

        if len(self.all()) == self._database.read(lambda c: c.scalar(_COUNT)):
            return 0
        return self._database.write(work)

    def remove(self, worker_id: str) -> None:
        self._database.write(lambda c: c.execute(_DELETE, {"worker_id": worker_id}))

    def cancel_requested(self, worker_id: str) -> list[str]:
        """The IDs of the runs that this worker executes and that have a cancel request."""
        asked = {"worker_id": worker_id}
        return self._database.read(lambda c: list(c.scalars(_CANCELS, asked)))

    def unfinished(self, worker_id: str) -> list[Run]:
        """The active runs that a worker owns or that only it may claim, oldest first."""
        asked = {"worker_id": worker_id}
        return self._database.read(lambda c: runs_of(c.execute(_OF_WORKER, asked)))

    def runs_of_missing(self) -> list[Run]:
        """The active runs that no known worker will finish, oldest first."""
        return self._database.read(lambda c: runs_of(c.execute(_OF_MISSING)))


_KINDS = {kind.value: kind for kind in WorkerKind}


def _worker_of(row: sa.RowMapping) -> Worker | None:
    """None if the row is damaged."""
    texts = (row["id"], row["host"], row["boot_id"])
    numbers = (row["pid"], row["process_start"], row["slots"], row["started_at"], row["beat_at"])
    readable = all(isinstance(text, str) for text in texts) and all(
        isinstance(number, int) for number in numbers
    )
    kind = _KINDS.get(row["kind"])
    return Worker(**{**row, "kind": kind}) if readable and kind is not None else None
