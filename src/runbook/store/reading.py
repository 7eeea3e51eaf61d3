"""Converts rows to `Run`, also rows that something else has damaged.

What can't be read is replaced by a harmless value, and the run names it: one bad row must neither
hide the others nor stop those who work through them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from runbook.core.document import UNCLASSIFIED, Problem, Severity, warning
from runbook.core.outcome import PlanLabel
from runbook.core.run import (
    CancelRequest,
    LockRequest,
    LockWant,
    Origin,
    Purpose,
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
from runbook.core.status import RunStatus
from runbook.core.waiting import WaitReason, read_wait
from runbook.errors import NotFoundError
from runbook.store.dialects.portable import Text
from runbook.store.rows import EVENTS_PER_RUN, toolkit_of
from runbook.store.tables import runs

UNKNOWN = "unknown"

RUN_COLUMNS = (
    runs.c.seq,
    runs.c.id,
    runs.c.ref,
    runs.c.name,
    runs.c.digest,
    *(column for column in runs.c if column.name.startswith("toolkit")),
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
    runs.c.purpose,
)
"""The columns that `run_of` needs: all except the encrypted ones."""

# A lookup is faster than calling the enum classes.
_STATUSES = {status.value: status for status in RunStatus}
_ORIGINS = {origin.value: origin for origin in Origin}

RUN_BY_ID = sa.select(*RUN_COLUMNS).where(runs.c.id == sa.bindparam("run_id"))
_RUN_TO_CHANGE = RUN_BY_ID.with_for_update()
DAMAGE = (LookupError, TypeError, ValueError, AttributeError)
"""What reading a damaged value raises."""


def runs_of(found: sa.CursorResult[Any]) -> list[Run]:
    """The runs in a result with RUN_COLUMNS."""
    return [run_of(row) for row in dicts_of(found)]


def dicts_of(found: sa.CursorResult[Any]) -> list[dict[str, Any]]:
    """The rows as dicts by column name: reading a row by name takes several times as long."""
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]


def first_of(found: sa.CursorResult[Any]) -> dict[str, Any] | None:
    """The first row as a dict by column name."""
    return next(iter(dicts_of(found)), None)


def run_of(row: Mapping[str, Any]) -> Run:
    """The run in a row with RUN_COLUMNS."""
    try:
        if _has_known_types(row):
            return _run_of(row)
    except DAMAGE:
        pass
    return _salvaged(row)


def _run_of(row: Mapping[str, Any]) -> Run:
    status = _STATUSES[row["status"]]
    if status.terminal is (row["finished_at"] is None):
        raise ValueError("an active run has no end, and any other has one")
    return Run(
        id=_id_of(row["id"]),
        seq=row["seq"],
        status=status,
        runbook=RunbookVersion(row["ref"], row["name"], row["digest"], toolkit_of(row)),
        requester=_requester_of(row["requester"]),
        correlation_id=row["correlation_id"],
        tree=RunTree(_texts_of(row["chain"]), row["parent_id"], row["root_id"]),
        request=_request_of(row),
        times=RunTimes(
            row["created_at"], row["started_at"], row["finished_at"], row["duration_ms"]
        ),
        result=_result_of(row),
        log=_log_of(row),
        worker_id=row["worker_id"],
        cancel=None
        if row["cancel_at"] is None
        else CancelRequest(row["cancel_at"], _text(row["cancel_by"])),
        rerun_of=None if row["relation"] is None else _rerun_of(row),
        waiting=_wait_of(row["waiting"]),
    )


def _request_of(row: Mapping[str, Any]) -> RunRequest:
    return RunRequest(
        reason=row["reason"],
        timeout_s=row["timeout_s"],
        inputs=_inputs_of(row["inputs"]),
        given=_texts_of(row["given"] or ()),
        dry_run=bool(row["dry_run"]),
        queue=row["queue"],
        locks=_locks_of(row["locks"]),
        purpose=None if row["purpose"] is None else Purpose(row["purpose"]),
    )


def _result_of(row: Mapping[str, Any]) -> RunResult:
    return RunResult(
        return_code=row["return_code"],
        errors=problems_of(row["errors"], Severity.ERROR),
        warnings=problems_of(row["warnings"], Severity.WARNING),
        outputs=row["outputs"],
        label=_label_of(row["label"]),
    )


def _log_of(row: Mapping[str, Any]) -> RunLog:
    return RunLog(
        _count(row["log_bytes"]), _count(row["log_lines"]), _event_number(row["last_event"])
    )


def _rerun_of(row: Mapping[str, Any]) -> RerunOf:
    return RerunOf(Relation(row["relation"]), _text(row["related_id"]), row["start_step"])


def _requester_of(value: Mapping[str, Any]) -> Requester:
    subject, claims, address = value["subject"], value["claims"], value["address"]
    if not isinstance(claims, dict) or not isinstance(address, str | None):
        raise TypeError
    return Requester(_text(subject), _ORIGINS[value["origin"]], claims, address)


def _id_of(value: str) -> str:
    """Folders are named after it."""
    if not _text(value).replace("-", "").replace("_", "").isalnum():
        raise ValueError
    return value


def _inputs_of(value: Mapping[str, Any]) -> Mapping[str, str | None]:
    if not all(item is None or isinstance(item, str) for item in value.values()):
        raise TypeError
    return value


def _locks_of(value: Mapping[str, Any] | None) -> LockRequest | None:
    if value is None:
        return None
    wants = tuple(LockWant(_text(name), _count(capacity, 1)) for name, capacity in value["wants"])
    return LockRequest(wants, bool(value["waits"]))


def _wait_of(value: Mapping[str, Any] | None) -> WaitReason | None:
    if value is None:
        return None
    wait = read_wait(value)
    if not isinstance(wait.since, int):
        raise TypeError
    return wait


def _label_of(value: str | None) -> PlanLabel | None:
    return None if value is None else PlanLabel(value)


def problems_of(values: Sequence[Any], severity: Severity) -> tuple[Problem, ...]:
    """Problems from stored form; an earlier version stored only texts."""
    return tuple(
        Problem(UNCLASSIFIED, value, severity=severity)
        if isinstance(value, str)
        else _problem_of(value, severity)
        for value in values
    )


def _problem_of(value: Mapping[str, Any], severity: Severity) -> Problem:
    problem = Problem(**value, severity=severity)
    _text(problem.code), _text(problem.message), problem.params.items()
    return problem


def _texts_of(value: Sequence[Any]) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError
    return tuple(map(_text, value))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _count(value: Any, least: int = 0) -> int:
    if value < least:
        raise ValueError
    return int(value)


def _event_number(value: Any) -> int:
    """Beyond the range of a run's keys are those of the next run."""
    if not 0 <= value < EVENTS_PER_RUN:
        raise ValueError
    return int(value)


def _python_type(column: sa.Column[Any]) -> type:
    return str if isinstance(column.type, Text) else column.type.python_type


_KINDS: dict[str, tuple[type, ...]] = {
    column.name: (
        *((type(None),) if column.nullable else ()),
        *(
            {"requester": (dict,), "inputs": (dict,), "outputs": (dict,), "locks": (dict,)}
            | {"waiting": (dict,), "chain": (list,), "given": (list,)}
            | {"errors": (list,), "warnings": (list,), "timeout_s": (float, int)}
        ).get(column.name, (_python_type(column),)),
    )
    for column in RUN_COLUMNS
}
_known_types: set[tuple[type, ...]] = set()
"""The types of the values of readable rows, so that most rows cost one look-up."""
_MOST_KNOWN = 1024

_READERS: Mapping[str, Callable[[Any], object]] = {
    "id": _id_of,
    "status": _STATUSES.__getitem__,
    "requester": _requester_of,
    "chain": _texts_of,
    "inputs": _inputs_of,
    "given": lambda value: _texts_of(value or ()),
    "locks": _locks_of,
    "waiting": _wait_of,
    "errors": lambda value: problems_of(value, Severity.ERROR),
    "warnings": lambda value: problems_of(value, Severity.WARNING),
    "label": _label_of,
    "log_bytes": _count,
    "log_lines": _count,
    "last_event": _event_number,
    "relation": lambda value: None if value is None else Relation(value),
    "purpose": lambda value: None if value is None else Purpose(value),
}
"""Columns whose type alone doesn't make them readable."""

_INSTEAD: Mapping[str, Any] = {
    "ref": UNKNOWN,
    "name": UNKNOWN,
    "digest": "",
    "requester": {"subject": UNKNOWN, "origin": "api", "claims": {}, "address": None},
    "correlation_id": "",
    "chain": [],
    "timeout_s": 0.0,
    "inputs": {},
    "dry_run": False,
    "created_at": 0,
    "errors": [],
    "warnings": [],
    "outputs": {},
    "log_bytes": 0,
    "log_lines": 0,
    "last_event": 0,
}
"""Replacements in columns that need a value."""


def _has_known_types(row: Mapping[str, Any]) -> bool:
    types = tuple(map(type, row.values()))
    if types in _known_types:
        return True
    if not all(isinstance(row[name], kinds) for name, kinds in _KINDS.items()):
        return False
    if len(_known_types) < _MOST_KNOWN:
        _known_types.add(types)
    return True


def _salvaged(row: Mapping[str, Any]) -> Run:
    """The run with replacements for what can't be read, and a warning that names it."""
    readable, damaged = salvaged_values(row)
    run = _run_of(readable)
    columns = ", ".join(damaged)
    text = f"The database's record of this run is damaged. It can't be read: {columns}"
    note = warning("run_damaged", text, columns=columns)
    result = replace(run.result, warnings=(*run.result.warnings, note))
    return replace(run, result=result, damage=damaged)


def salvaged_values(row: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The row with replacements, and the names of the columns that have one."""
    values = dict(row)
    damaged = [name for name in _KINDS if not _is_readable(name, row[name])]
    for name in damaged:
        values[name] = _INSTEAD.get(name)
    if "id" in damaged:
        values["id"] = f"damaged-{row['seq']}"
    # Whatever it is: a run with an end is nobody's to execute.
    _complete(values, damaged, ended=row["finished_at"] is not None)
    return values, tuple(damaged)


def _complete(values: dict[str, Any], damaged: list[str], *, ended: bool) -> None:
    """Replace values that do not go together."""

    def put(name: str, value: object) -> None:
        values[name] = value
        if name not in damaged:
            damaged.append(name)

    status = values["status"]
    if status is None or (ended and not _STATUSES[status].terminal):
        put("status", (RunStatus.LOST if ended else RunStatus.RUNNING).value)
    if values["finished_at"] is None and _STATUSES[values["status"]].terminal:
        put("finished_at", values["started_at"] or values["created_at"])
    if values["cancel_at"] is not None and values["cancel_by"] is None:
        put("cancel_by", UNKNOWN)
    if values["relation"] is not None and values["related_id"] is None:
        put("relation", None)


def _is_readable(name: str, value: object) -> bool:
    if not isinstance(value, _KINDS[name]):
        return False
    try:
        _READERS.get(name, bool)(value)
    except DAMAGE:
        return False
    return True


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
