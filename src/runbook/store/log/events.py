"""The events of runs: appended by a run's owner, read by its followers."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from runbook.core.events import RunEvent
from runbook.core.outcome import StepRun
from runbook.core.run import RunLog
from runbook.errors import ConflictError, NotOwnerError, RunEndedError
from runbook.store.conditions import SEQ_BY_ID
from runbook.store.dialects.portable import is_remote
from runbook.store.log.reading import EVENT_COLUMNS, event_of
from runbook.store.models import NewEvent
from runbook.store.reading import run_by_id
from runbook.store.rows import EVENTS_PER_RUN, INSERT_EVENTS, Component, event_rows, grown
from runbook.store.run.steps import keep_steps
from runbook.store.tables import events, runs

MAX_BYTES = 1024 * 1024

_ADVANCE = (
    sa.update(runs)
    .where(
        runs.c.id == sa.bindparam("run_id"),
        runs.c.finished_at.is_(None),
        runs.c.worker_id.is_not_distinct_from(sa.bindparam("owner")),
    )
    .values(
        last_event=runs.c.last_event + sa.bindparam("count"),
        log_bytes=sa.func.coalesce(sa.bindparam("new_bytes"), runs.c.log_bytes),
        log_lines=sa.func.coalesce(sa.bindparam("new_lines"), runs.c.log_lines),
    )
    .returning(runs.c.seq, runs.c.last_event)
)
_AFTER = (
    sa.select(*EVENT_COLUMNS)
    .where(
        events.c.key > SEQ_BY_ID * EVENTS_PER_RUN + sa.bindparam("after"),
        events.c.key < (SEQ_BY_ID + 1) * EVENTS_PER_RUN,
    )
    .order_by(events.c.key)
    .limit(sa.bindparam("most"))
)


_SIZE = sa.func.coalesce(sa.func.length(events.c.text), 0)
_SIZED = _AFTER.add_columns(
    (sa.func.sum(_SIZE).over(order_by=events.c.key) - _SIZE).label("before")
).subquery()
# The same, with a limit in bytes: a server sends them all, however few are read.
_AFTER_BOUNDED = (
    sa.select(*(_SIZED.c[column.name] for column in EVENT_COLUMNS))
    .where(_SIZED.c.before < sa.bindparam("most_bytes"))
    .order_by(_SIZED.c.key)
)


class Events(Component):
    def append(
        self,
        run_id: str,
        new: Sequence[NewEvent],
        *,
        worker_id: str | None,
        steps: Sequence[StepRun] = (),
    ) -> int:
        """Append events to a run, and return the last number. `worker_id` None: it has no owner.

        `steps` are recorded in the same transaction. Raises ConflictError if the run has finished
        or has another owner, NotFoundError.
        """
        log = grown(RunLog(), new) if any(event.type.is_output for event in new) else None
        advance = {
            "run_id": run_id,
            "owner": worker_id,
            "count": len(new),
            "new_bytes": log.bytes if log else None,
            "new_lines": log.lines if log else None,
        }

        def work(connection: sa.Connection) -> int:
            row = connection.execute(_ADVANCE, advance).first()
            if row is None:
                raise _refusal(connection, run_id)
            seq, last = int(row[0]), int(row[1])
            if new:
                connection.execute(INSERT_EVENTS, event_rows(seq, last - len(new), new))
            keep_steps(connection, seq, steps)
            return last

        return self._database.write(work)

    def after(
        self, run_id: str, n: int = 0, limit: int = 256, max_bytes: int = MAX_BYTES
    ) -> list[RunEvent]:
        """The events after number `n`: at most `limit`, and `max_bytes` of text.

        Returns at least one event if there is any. Empty for a run that does not exist.
        """

        def work(connection: sa.Connection) -> list[RunEvent]:
            # Clamped: keys beyond the run's own range belong to other runs.
            begin = min(max(n, 0), EVENTS_PER_RUN - 1)
            asked = {"run_id": run_id, "after": begin, "most": max(1, limit)}
            found: list[RunEvent] = []
            left = max_bytes
            statement = _AFTER
            if is_remote(connection):
                statement, asked["most_bytes"] = _AFTER_BOUNDED, max_bytes
            with connection.execute(statement, asked) as rows:
                for row in rows:
                    left -= len(row.text or b"")
                    if left < 0 and found:
                        break
                    found.append(event_of(row))
            return found

        return self._database.read(work)


def _refusal(connection: sa.Connection, run_id: str) -> ConflictError:
    run = run_by_id(connection, run_id)
    if run.status.terminal:
        return RunEndedError(f"The run has already ended: {run.status}.")
    return NotOwnerError()
