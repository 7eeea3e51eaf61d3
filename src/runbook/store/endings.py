"""How a run ends: once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from runbook.core.run import TRANSITIONS, EventType, Millis, Outcome, Run
from runbook.errors import ConflictError
from runbook.store.children import tell_parent
from runbook.store.history import keep_last_run
from runbook.store.locks import release_locks
from runbook.store.models import Finished, HistoryHead, NewEvent
from runbook.store.rows import (
    INSERT_EVENTS,
    LogEnd,
    StorePart,
    event_rows,
    problem_rows,
    run_by_id,
    storable,
)
from runbook.store.steps import end_steps, keep_artifacts, keep_steps
from runbook.store.tables import runs

_FINISH = (
    sa.update(runs)
    .where(
        runs.c.seq == sa.bindparam("run_seq"),
        runs.c.status == sa.bindparam("from_status"),
        runs.c.last_event == sa.bindparam("from_event"),
    )
    .values(
        status=sa.bindparam("new_status"),
        finished_at=sa.bindparam("new_finished_at"),
        duration_ms=sa.bindparam("new_duration_ms"),
        return_code=sa.bindparam("new_return_code"),
        errors=sa.bindparam("new_errors", type_=sa.JSON()),
        warnings=sa.bindparam("new_warnings", type_=sa.JSON()),
        outputs=sa.bindparam("new_outputs", type_=sa.JSON()),
        label=sa.bindparam("new_label"),
        summary=sa.bindparam("new_summary"),
        waiting=None,
        log_bytes=sa.bindparam("new_log_bytes"),
        log_lines=sa.bindparam("new_log_lines"),
        last_event=sa.bindparam("new_last_event"),
        sealed_inputs=None,
    )
)


class Endings(StorePart):
    def finish(
        self,
        run_id: str,
        outcome: Outcome,
        events: Sequence[NewEvent],
        *,
        worker_id: str | None = None,
        history: HistoryHead | None = None,
        durable: bool = True,
        finished_at: Millis | None = None,
        duration_ms: int | None = None,
    ) -> Finished:
        """End a run, with its last events, of which `done` is the last.

        `worker_id` is the owner who ends it; None ends it whoever owns it. `finished_at` is
        the clock's where it is not given, `duration_ms` the time since the start. `durable`
        returns only when the disk has it. Inputs that waited encrypted are wiped. Its locks are
        given back, and the runs that waited for one are queued again.
        Raises ConflictError where it has ended, cannot end so or has another owner,
        NotFoundError.
        """
        if not outcome.status.terminal or not events or events[-1].type is not EventType.DONE:
            raise ValueError("a run ends with a terminal status and done as its last event")

        def work(connection: sa.Connection) -> Finished:
            run = run_by_id(connection, run_id)
            _check_end(run, outcome, worker_id)
            ended = _ended(run, outcome, events, finished_at or self._clock(), duration_ms)
            _update(connection, run, ended, outcome.summary)
            connection.execute(INSERT_EVENTS, event_rows(run.seq, run.last_event, events))
            keep_steps(connection, run.seq, outcome.steps)
            end_steps(connection, run.seq, ended.status, ended.finished_at or 0)
            keep_artifacts(connection, run.seq, outcome.artifacts)
            tell_parent(connection, ended, ended.finished_at or 0)
            keep_last_run(connection, ended, history)
            return Finished(ended, release_locks(connection, run))

        return self._database.write(work, durable=durable)


def _check_end(run: Run, outcome: Outcome, worker_id: str | None) -> None:
    if run.status.terminal:
        raise ConflictError(f"The run has already ended: {run.status}.")
    if outcome.status not in TRANSITIONS[run.status]:
        raise ConflictError(f"The run is {run.status}; it cannot become {outcome.status}.")
    if worker_id is not None and run.worker_id != worker_id:
        raise ConflictError("The run belongs to another worker.")


def _ended(
    run: Run,
    outcome: Outcome,
    events: Sequence[NewEvent],
    finished_at: Millis,
    duration_ms: int | None,
) -> Run:
    if duration_ms is None and run.started_at is not None:
        duration_ms = max(0, finished_at - run.started_at)
    log = LogEnd(run.log_bytes, run.log_lines).after(events)
    return replace(
        run,
        status=outcome.status,
        finished_at=finished_at,
        duration_ms=duration_ms,
        return_code=outcome.return_code,
        errors=outcome.errors,
        warnings=outcome.warnings,
        outputs=dict(outcome.outputs),
        label=outcome.label,
        waiting=None,
        log_bytes=log.bytes,
        log_lines=log.lines,
        last_event=run.last_event + len(events),
    )


def _update(connection: sa.Connection, run: Run, ended: Run, summary: str | None) -> None:
    done = connection.execute(
        _FINISH,
        {
            "run_seq": run.seq,
            "from_status": run.status.value,
            "from_event": run.last_event,
            "new_status": ended.status.value,
            "new_finished_at": ended.finished_at,
            "new_duration_ms": ended.duration_ms,
            "new_return_code": ended.return_code,
            "new_errors": problem_rows(ended.errors),
            "new_warnings": problem_rows(ended.warnings),
            "new_outputs": dict(ended.outputs),
            "new_label": ended.label,
            "new_summary": None if summary is None else storable(summary),
            "new_log_bytes": ended.log_bytes,
            "new_log_lines": ended.log_lines,
            "new_last_event": ended.last_event,
        },
    )
    if done.rowcount != 1:
        raise ConflictError
