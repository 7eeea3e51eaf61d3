"""Rows become `Run` and `RunEvent`, and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from runbook.core.document import UNCLASSIFIED, Param, Problem, Severity
from runbook.core.run import (
    ACTIVE,
    EventType,
    Holder,
    LockRequest,
    LockWant,
    Millis,
    Origin,
    PlanLabel,
    Relation,
    Requester,
    Run,
    RunEvent,
    RunStatus,
)
from runbook.errors import NotFoundError
from runbook.store.database import Database
from runbook.store.models import NewEvent, NewRun
from runbook.store.tables import events, runs

ACTIVE_STATUSES = tuple(sorted(status.value for status in ACTIVE))

# In the order of `run_of`; without what is sealed.
RUN_COLUMNS = (
    runs.c.id,
    runs.c.ref,
    runs.c.name,
    runs.c.digest,
    runs.c.status,
    runs.c.requester,
    runs.c.correlation_id,
    runs.c.chain,
    runs.c.created_at,
    runs.c.seq,
    runs.c.parent_id,
    runs.c.root_id,
    runs.c.reason,
    runs.c.timeout_s,
    runs.c.inputs,
    runs.c.started_at,
    runs.c.finished_at,
    runs.c.duration_ms,
    runs.c.return_code,
    runs.c.errors,
    runs.c.warnings,
    runs.c.outputs,
    runs.c.worker_id,
    runs.c.cancel_at,
    runs.c.cancel_by,
    runs.c.log_bytes,
    runs.c.log_lines,
    runs.c.last_event,
    runs.c.dry_run,
    runs.c.label,
    runs.c.relation,
    runs.c.related_id,
    runs.c.start_step,
    runs.c.queue,
    runs.c.given,
    runs.c.locks,
    runs.c.waiting,
)

EVENTS_PER_RUN = 2**32

RUN_BY_ID = sa.select(*RUN_COLUMNS).where(runs.c.id == sa.bindparam("run_id"))
INSERT_EVENTS = sa.insert(events)


class StorePart:
    """What every part of the store works with."""

    def __init__(self, database: Database, clock: Callable[[], Millis]) -> None:
        self._database = database
        self._clock = clock


def run_of(row: Sequence[Any]) -> Run:
    """The run in a row of RUN_COLUMNS."""
    values = list(row)
    values[4] = RunStatus(values[4])
    values[5] = _requester_of(values[5])
    values[7] = tuple(values[7])
    values[19] = problems_of(values[19], Severity.ERROR)
    values[20] = problems_of(values[20], Severity.WARNING)
    values[28] = bool(values[28])
    values[29] = None if values[29] is None else PlanLabel(values[29])
    values[30] = None if values[30] is None else Relation(values[30])
    values[34] = tuple(values[34] or ())
    values[35] = None if values[35] is None else _locks_of(values[35])
    values[36] = None if values[36] is None else Holder(**values[36])
    return Run(*values)


def run_by_id(connection: sa.Connection, run_id: str) -> Run:
    """Raises NotFoundError."""
    row = connection.execute(RUN_BY_ID, {"run_id": run_id}).first()
    if row is None:
        raise NotFoundError("There is no such run.")
    return run_of(row)


def row_of(run: NewRun, *, created_at: Millis) -> dict[str, Any]:
    """The row of a run at its birth, without its events."""
    ended = run.status.terminal
    running = run.status is RunStatus.RUNNING
    return {
        "id": run.id,
        "ref": run.ref,
        "name": run.name,
        "digest": run.digest,
        "status": run.status.value,
        "requester": requester_json(run.requester),
        "subject": storable(run.requester.subject),
        "correlation_id": run.correlation_id,
        "chain": list(run.chain),
        "created_at": created_at,
        "parent_id": run.parent_id,
        "root_id": run.root_id,
        "reason": None if run.reason is None else storable(run.reason),
        "timeout_s": run.timeout_s,
        "inputs": dict(run.inputs),
        "started_at": created_at if running else None,
        "finished_at": (run.finished_at or created_at) if ended else None,
        "duration_ms": None,
        "return_code": run.return_code,
        "errors": problem_rows(run.errors),
        "warnings": problem_rows(run.warnings),
        "outputs": {},
        "worker_id": run.assigned_to if running else None,
        "cancel_at": None,
        "cancel_by": None,
        "assigned_to": run.assigned_to,
        "sealed_inputs": None if ended else run.sealed_inputs,
        "dry_run": run.dry_run,
        "label": None,
        "relation": run.relation,
        "related_id": run.related_id,
        "start_step": run.start_step,
        "queue": run.queue,
        "given": list(run.given) or None,
        "locks": None if run.locks is None else _locks_json(run.locks),
        "waiting": None,
    }


def problem_rows(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems as they are kept; the column says how severe they are."""
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


def problems_of(values: Sequence[Any], severity: Severity) -> tuple[Problem, ...]:
    """An earlier version kept texts alone."""
    return tuple(
        Problem(UNCLASSIFIED, value, severity=severity)
        if isinstance(value, str)
        else Problem(**value, severity=severity)
        for value in values
    )


def _locks_json(request: LockRequest) -> dict[str, Any]:
    wants = [[storable(want.name), want.capacity] for want in request.wants]
    return {"wants": wants, "waits": request.waits}


def _locks_of(value: Mapping[str, Any]) -> LockRequest:
    wants = (LockWant(name, capacity) for name, capacity in value["wants"])
    return LockRequest(tuple(wants), value["waits"])


def requester_json(requester: Requester) -> dict[str, Any]:
    return {
        "subject": requester.subject,
        "origin": requester.origin.value,
        "claims": dict(requester.claims),
        "address": requester.address,
    }


def _requester_of(value: Mapping[str, Any]) -> Requester:
    return Requester(value["subject"], Origin(value["origin"]), value["claims"], value["address"])


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Where a run's log ends: its size in bytes, and its number of lines."""

    bytes: int = 0
    lines: int = 0

    def after(self, new: Sequence[NewEvent]) -> LogEnd:
        last = next((event for event in reversed(new) if event.type.is_output), None)
        if last is None:
            return self
        text, line, offset = last.text or "", last.line or 0, last.offset or 0
        newlines = text.count("\n")
        unfinished = 0 if text.endswith("\n") or not text else 1
        return LogEnd(offset + len(encoded(text)), line - 1 + newlines + unfinished)


def encoded(text: str) -> bytes:
    """A lone surrogate, which UTF-8 has no bytes for, becomes a question mark."""
    return text.encode("utf-8", "replace")


def storable(text: str) -> str:
    """The text without lone surrogates, which no database takes (JSON may bring them)."""
    return encoded(text).decode("utf-8")


def event_key(run_seq: int, n: int) -> int:
    """The key of a run's event. That of number 0 lies before all of them."""
    return run_seq * EVENTS_PER_RUN + n


def event_rows(run_seq: int, after: int, new: Sequence[NewEvent]) -> list[dict[str, Any]]:
    """Rows numbered from `after` + 1. Raises ValueError for output without its place."""
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


# In the order of `event_of`.
EVENT_COLUMNS = (
    events.c.key,
    events.c.at,
    events.c.type,
    events.c.text,
    events.c.data,
    events.c.step,
    events.c.line,
    events.c.offset,
)


def event_of(row: Sequence[Any]) -> RunEvent:
    key, at, kind, text, data, step, line, offset = row
    shown = None if text is None else text.decode("utf-8")
    return RunEvent(key % EVENTS_PER_RUN, at, EventType(kind), shown, data, step, line, offset)
