"""Converts runs and events to rows. `reading` does the reverse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from runbook.core.document import Param, Problem
from runbook.core.run import LockRequest, Requester, RunLog
from runbook.core.status import RunStatus
from runbook.core.storable import encoded, storable, storable_value
from runbook.core.times import Millis
from runbook.core.toolkit import ToolkitVersion
from runbook.store.database import Database
from runbook.store.models import NewEvent, NewRun
from runbook.store.tables import events

EVENTS_PER_RUN = 2**32

INSERT_EVENTS = sa.insert(events)


class Component:
    """The base of every store component."""

    def __init__(self, database: Database, clock: Callable[[], Millis]) -> None:
        self._database = database
        self._clock = clock


def row_of(run: NewRun, log: RunLog, *, created_at: Millis) -> dict[str, Any]:
    """The row of a new run."""
    ended = run.status.terminal
    running = run.status is RunStatus.RUNNING
    request, rerun = run.request, run.rerun_of
    return {
        "id": run.id,
        "ref": run.runbook.ref,
        "name": run.runbook.name,
        "digest": run.runbook.digest,
        **_toolkit_row(run.runbook.toolkit),
        "status": run.status.value,
        "requester": requester_json(run.requester),
        "subject": storable(run.requester.subject),
        "correlation_id": run.correlation_id,
        "chain": list(run.tree.chain),
        "parent_id": run.tree.parent_id,
        "root_id": run.tree.root_id,
        "reason": None if request.reason is None else storable(request.reason),
        "timeout_s": request.timeout_s,
        "inputs": dict(request.inputs),
        "given": list(request.given) or None,
        "dry_run": request.dry_run,
        "queue": request.queue,
        "purpose": None if request.purpose is None else request.purpose.value,
        "locks": None if request.locks is None else _locks_json(request.locks),
        "created_at": created_at,
        "started_at": created_at if running else None,
        "finished_at": (run.finished_at or created_at) if ended else None,
        "duration_ms": None,
        "return_code": run.result.return_code,
        "errors": problem_rows(run.result.errors),
        "warnings": problem_rows(run.result.warnings),
        "outputs": {},
        "label": None,
        "log_bytes": log.bytes,
        "log_lines": log.lines,
        "last_event": log.last_event,
        "worker_id": run.assigned_to if running else None,
        "cancel_at": None,
        "cancel_by": None,
        "assigned_to": run.assigned_to,
        "sealed_inputs": None if ended else run.sealed_inputs,
        "relation": None if rerun is None else rerun.relation.value,
        "related_id": None if rerun is None else rerun.run_id,
        "start_step": None if rerun is None else rerun.start_step,
        "waiting": None,
        "waiting_lock": None,
    }


def _toolkit_row(toolkit: ToolkitVersion | None) -> dict[str, str | None]:
    return {
        "toolkit": toolkit.slug if toolkit else None,
        "toolkit_version": toolkit.version if toolkit else None,
        "toolkit_digest": toolkit.digest if toolkit else None,
    }


def toolkit_of(row: Mapping[str, Any]) -> ToolkitVersion | None:
    slug = row["toolkit"]
    if slug is None:
        return None
    return ToolkitVersion(slug, row["toolkit_version"] or "", row["toolkit_digest"] or "")


def problem_rows(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems in stored form; the column determines their severity."""
    return [
        {
            "code": problem.code,
            "message": storable(problem.message),
            "line": problem.line,
            "hint": None if problem.hint is None else storable(problem.hint),
            "params": {name: _storable_param(value) for name, value in problem.params.items()},
        }
        for problem in problems
    ]


def _storable_param(value: Param) -> Param:
    return storable(value) if isinstance(value, str) else value


def _locks_json(request: LockRequest) -> dict[str, Any]:
    wants = [[storable(want.name), want.capacity] for want in request.wants]
    return {"wants": wants, "waits": request.waits}


def requester_json(requester: Requester) -> dict[str, Any]:
    return {
        "subject": storable(requester.subject),
        "origin": requester.origin.value,
        "claims": storable_value(dict(requester.claims)),
        "address": requester.address,
    }


def grown(log: RunLog, new: Sequence[NewEvent]) -> RunLog:
    """The end of the log after these events."""
    last_event = log.last_event + len(new)
    last = next((event for event in reversed(new) if event.type.is_output), None)
    if last is None:
        return RunLog(log.bytes, log.lines, last_event)
    text, line, offset = last.text or "", last.line or 0, last.offset or 0
    newlines = text.count("\n")
    unfinished = 0 if text.endswith("\n") or not text else 1
    return RunLog(offset + len(encoded(text)), line - 1 + newlines + unfinished, last_event)


def event_key(run_seq: int, n: int) -> int:
    """The key of a run's event. Number 0 gives a key before all events."""
    return run_seq * EVENTS_PER_RUN + n


def event_rows(run_seq: int, after: int, new: Sequence[NewEvent]) -> list[dict[str, Any]]:
    """Rows numbered from `after` + 1. Raises ValueError for output without line and offset."""
    return [_event_row(run_seq, n, event) for n, event in enumerate(new, after + 1)]


def _event_row(run_seq: int, n: int, event: NewEvent) -> dict[str, Any]:
    output = event.type.is_output
    if output and (event.line is None or event.offset is None):
        raise ValueError("an output event needs its line and offset")
    return {
        "key": event_key(run_seq, n),
        "run_seq": run_seq,
        "at": event.at,
        "type": event.type.value,
        "step": event.step,
        "line": event.line if output else None,
        "offset": event.offset if output else None,
        "data": None if event.data is None else dict(event.data),
        "text": encoded(event.text or "") if output else None,
    }
