"""Finishes runs, each exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from runbook.core.outcome import Outcome
from runbook.core.run import Run, RunResult
from runbook.core.status import TRANSITIONS
from runbook.core.storable import storable
from runbook.core.times import Millis
from runbook.errors import ConflictError, NotOwnerError, RunEndedError
from runbook.quick_dataclass import dataclass
from runbook.store.locks import release_locks
from runbook.store.models import Finished, HistoryHead, NewEvent
from runbook.store.reading import run_to_change
from runbook.store.rows import INSERT_EVENTS, event_rows, grown, problem_rows
from runbook.store.run.artifacts import keep_artifacts
from runbook.store.run.children import active_children, tell_parent
from runbook.store.run.recoveries import keep_recovery
from runbook.store.run.steps import end_steps, keep_steps
from runbook.store.runbooks import keep_last_run
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
        waiting_lock=None,
        log_bytes=sa.bindparam("new_log_bytes"),
        log_lines=sa.bindparam("new_log_lines"),
        last_event=sa.bindparam("new_last_event"),
        sealed_inputs=None,
    )
)


@dataclass(frozen=True, slots=True)
class End:
    """How and when a run finishes. `duration_ms` None means the time since the start."""

    outcome: Outcome
    events: Sequence[NewEvent]
    at: Millis
    duration_ms: int | None = None


def end_run(
    connection: sa.Connection,
    run_id: str,
    end: End,
    *,
    worker_id: str | None,
    history: HistoryHead | None,
) -> Finished:
    """See `Runs.finish`.

    Rows are locked in the same order always, so that endings do not block each other: the run,
    its locks and who waits for them, its parent, the runbook, its recovery.
    """
    run = run_to_change(connection, run_id)
    # The clock may have been set back.
    end = replace(end, at=max(end.at, run.times.started_at or run.times.created_at))
    _check_end(run, end.outcome, worker_id)
    ended = _ended(run, end)
    _update(connection, run, ended, end.outcome.summary)
    connection.execute(INSERT_EVENTS, event_rows(run.seq, run.log.last_event, end.events))
    keep_steps(connection, run.seq, end.outcome.steps)
    end_steps(connection, run.seq, ended.status, end.at)
    keep_artifacts(connection, run.seq, end.outcome.artifacts)
    going_on = release_locks(connection, run)
    tell_parent(connection, ended, end.at)
    keep_last_run(connection, ended, history)
    keep_recovery(connection, ended, end.outcome.recovery, end.at)
    # No more can start: that takes the run's row, which says by then that the run has ended.
    children = active_children(connection, run_id)
    return Finished(ended, going_on, children)


def _check_end(run: Run, outcome: Outcome, worker_id: str | None) -> None:
    if run.status.terminal:
        raise RunEndedError(f"The run has already ended: {run.status}.")
    if outcome.status not in TRANSITIONS[run.status]:
        raise ConflictError(f"The run is {run.status}; it cannot become {outcome.status}.")
    if worker_id is not None and run.worker_id != worker_id:
        raise NotOwnerError


def _ended(run: Run, end: End) -> Run:
    started, outcome = run.times.started_at, end.outcome
    duration_ms = end.duration_ms
    if duration_ms is None and started is not None:
        duration_ms = run.elapsed_ms(end.at)
    return replace(
        run,
        status=outcome.status,
        times=replace(run.times, finished_at=end.at, duration_ms=duration_ms),
        result=RunResult.of(outcome),
        log=grown(run.log, end.events),
        waiting=None,
    )


def _update(connection: sa.Connection, run: Run, ended: Run, summary: str | None) -> None:
    done = connection.execute(
        _FINISH,
        {
            "run_seq": run.seq,
            "from_status": run.status.value,
            "from_event": run.log.last_event,
            "new_status": ended.status.value,
            "new_finished_at": ended.times.finished_at,
            "new_duration_ms": ended.times.duration_ms,
            "new_return_code": ended.result.return_code,
            "new_errors": problem_rows(ended.result.errors),
            "new_warnings": problem_rows(ended.result.warnings),
            "new_outputs": dict(ended.result.outputs),
            "new_label": ended.result.label,
            "new_summary": None if summary is None else storable(summary),
            "new_log_bytes": ended.log.bytes,
            "new_log_lines": ended.log.lines,
            "new_last_event": ended.log.last_event,
        },
    )
    if done.rowcount != 1:
        raise ConflictError
