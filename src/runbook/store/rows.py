"""Converts rows to `Run` and `RunEvent`, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from runbook.core.document import UNCLASSIFIED, Param, Problem, Severity
from runbook.core.events import EventType, RunEvent
from runbook.core.outcome import PlanLabel
from runbook.core.run import (
    CancelRequest,
    LockRequest,
    LockWant,
    Origin,
    Relation,
    Requester,
    RerunOf,
    Run,
    RunbookVersion,
    RunLog,
    RunRequest,
    RunResult,
    RunTimes,
    RunTree,
)
from runbook.core.status import ACTIVE, RunStatus
from runbook.core.times import Millis
from runbook.core.waiting import read_wait
from runbook.errors import NotFoundError
from runbook.store.database import Database
from runbook.store.models import NewEvent, NewRun
from runbook.store.tables import events, runs

ACTIVE_STATUSES = tuple(sorted(status.value for status in ACTIVE))

RUN_COLUMNS = (
    runs.c.seq,
    runs.c.id,
    runs.c.ref,
    runs.c.name,
    runs.c.digest,
    runs.c.status,
    runs.c.requester,
    runs.c.correlation_id,
    runs.c.chain,
    runs.c.parent_id,
    runs.c.root_id,
    runs.c.reason,
    runs.c.timeout_s,
    runs.c.inputs,
    runs.c.given,
    runs.c.dry_run,
    runs.c.queue,
    runs.c.locks,
    runs.c.created_at,
    runs.c.started_at,
    runs.c.finished_at,
    runs.c.duration_ms,
    runs.c.return_code,
    runs.c.errors,
    runs.c.warnings,
    runs.c.outputs,
    runs.c.label,
    runs.c.log_bytes,
    runs.c.log_lines,
    runs.c.last_event,
    runs.c.worker_id,
    runs.c.cancel_at,
    runs.c.cancel_by,
    runs.c.relation,
    runs.c.related_id,
    runs.c.start_step,
    runs.c.waiting,
)
"""The columns that `run_of` needs: all except the encrypted ones."""

# A lookup is faster than calling the enum classes.
_STATUSES = {status.value: status for status in RunStatus}
_ORIGINS = {origin.value: origin for origin in Origin}

EVENTS_PER_RUN = 2**32

RUN_BY_ID = sa.select(*RUN_COLUMNS).where(runs.c.id == sa.bindparam("run_id"))
_RUN_TO_CHANGE = RUN_BY_ID.with_for_update()
INSERT_EVENTS = sa.insert(events)


class Component:
    """The base of every store component."""

    def __init__(self, database: Database, clock: Callable[[], Millis]) -> None:
        self._database = database
        self._clock = clock


def runs_of(found: sa.CursorResult[Any]) -> list[Run]:
    """The runs in a result with RUN_COLUMNS."""
    # Reading a row by name takes several times as long as a dict.
    names = tuple(found.keys())
    return [run_of(dict(zip(names, row, strict=True))) for row in found]


def first_of(found: sa.CursorResult[Any]) -> dict[str, Any] | None:
    """The first row as a dict by column name."""
    names = tuple(found.keys())
    row = found.first()
    return None if row is None else dict(zip(names, row, strict=True))


def run_of(row: Mapping[str, Any]) -> Run:
    """The run in a row with RUN_COLUMNS."""
    return Run(
        id=row["id"],
        seq=row["seq"],
        status=_STATUSES[row["status"]],
        runbook=RunbookVersion(row["ref"], row["name"], row["digest"]),
        requester=_requester_of(row["requester"]),
        correlation_id=row["correlation_id"],
        tree=RunTree(tuple(row["chain"]), row["parent_id"], row["root_id"]),
        request=_request_of(row),
        times=_times_of(row),
        result=_result_of(row),
        log=RunLog(row["log_bytes"], row["log_lines"], row["last_event"]),
        worker_id=row["worker_id"],
        cancel=None if row["cancel_at"] is None else _cancel_of(row),
        rerun_of=None if row["relation"] is None else _rerun_of(row),
        waiting=None if row["waiting"] is None else read_wait(row["waiting"]),
    )


def _request_of(row: Mapping[str, Any]) -> RunRequest:
    return RunRequest(
        reason=row["reason"],
        timeout_s=row["timeout_s"],
        inputs=row["inputs"],
        given=tuple(row["given"] or ()),
        dry_run=bool(row["dry_run"]),
        queue=row["queue"],
        locks=None if row["locks"] is None else _locks_of(row["locks"]),
    )


def _times_of(row: Mapping[str, Any]) -> RunTimes:
    return RunTimes(row["created_at"], row["started_at"], row["finished_at"], row["duration_ms"])


def _result_of(row: Mapping[str, Any]) -> RunResult:
    return RunResult(
        return_code=row["return_code"],
        errors=problems_of(row["errors"], Severity.ERROR),
        warnings=problems_of(row["warnings"], Severity.WARNING),
        outputs=row["outputs"],
        label=None if row["label"] is None else PlanLabel(row["label"]),
    )


def _cancel_of(row: Mapping[str, Any]) -> CancelRequest:
    return CancelRequest(row["cancel_at"], row["cancel_by"])


def _rerun_of(row: Mapping[str, Any]) -> RerunOf:
    return RerunOf(Relation(row["relation"]), row["related_id"], row["start_step"])


def run_by_id(connection: sa.Connection, run_id: str) -> Run:
    """Raises NotFoundError."""
    return _found(first_of(connection.execute(RUN_BY_ID, {"run_id": run_id})))


def run_to_change(connection: sa.Connection, run_id: str) -> Run:
    """The run, locked until the transaction ends. Raises NotFoundError."""
    return _found(first_of(connection.execute(_RUN_TO_CHANGE, {"run_id": run_id})))


def _found(row: dict[str, Any] | None) -> Run:
    if row is None:
        raise NotFoundError("There is no such run.")
    return run_of(row)


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


def problems_of(values: Sequence[Any], severity: Severity) -> tuple[Problem, ...]:
    """Problems from stored form; an earlier version stored only texts."""
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
    return Requester(value["subject"], _ORIGINS[value["origin"]], value["claims"], value["address"])


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


def encoded(text: str) -> bytes:
    """A lone surrogate, which UTF-8 has no bytes for, becomes a question mark."""
    return text.encode("utf-8", "replace")


def storable(text: str) -> str:
    """The text with question marks for what no database takes: NUL, and lone surrogates."""
    return encoded(text).decode("utf-8").replace("\0", "?")


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
