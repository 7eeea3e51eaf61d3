"""The JSON forms of what the engine answers: the same over HTTP and on the command line."""

from __future__ import annotations

from runbook.core.document import Document, Input, Problem, Step
from runbook.core.run import Millis, Run, iso
from runbook.engine.requests import Listed, Report
from runbook.library.catalog import Entry
from runbook.store.records import LastRun, LogLine

Json = dict[str, object]


def run_json(run: Run) -> Json:
    """A run. Times are ISO 8601, UTC; `inputs` shows values, or `given` where one is kept back."""
    who = run.requester
    return {
        "id": run.id,
        "runbook": run.ref,
        "name": run.name,
        "status": run.status.value,
        "success": run.success,
        "return_code": run.return_code,
        "digest": run.digest,
        "by": who.subject,
        "origin": who.origin.value,
        "roles": who.roles,
        "address": who.address,
        "reason": run.reason,
        "correlation_id": run.correlation_id,
        "chain": list(run.chain),
        "parent_id": run.parent_id,
        "root_id": run.root_id,
        "created_at": iso(run.created_at),
        "started_at": _iso(run.started_at),
        "finished_at": _iso(run.finished_at),
        "duration_ms": run.duration_ms,
        "timeout_seconds": run.timeout_s,
        "inputs": {
            name: {"given": True} if value is None else {"value": value}
            for name, value in run.inputs.items()
        },
        "errors": list(run.errors),
        "warnings": list(run.warnings),
        "outputs": dict(run.outputs),
        "cancel_requested_by": run.cancel_by,
        "log_bytes": run.log_bytes,
        "log_lines": run.log_lines,
        "last_event": run.last_event,
    }


def _iso(at: Millis | None) -> str | None:
    return None if at is None else iso(at)


def listed_json(item: Listed) -> Json:
    entry = item.entry
    return {
        "filename": entry.ref,
        "name": entry.document.name,
        "path": entry.ref,
        "valid": not entry.document.errors,
        "executable": item.executable,
        "missing_claims": list(item.missing),
        "last_run": None if item.last_run is None else last_run_json(item.last_run),
    }


def last_run_json(last: LastRun) -> Json:
    return {
        "id": last.last_run_id,
        "status": None if last.last_status is None else last.last_status.value,
        "finished_at": _iso(last.last_finished_at),
        "by": last.last_by,
        "last_success_at": _iso(last.last_success_at),
    }


def problem_json(problem: Problem) -> Json:
    value: Json = {
        "code": problem.code,
        "message": problem.message,
        "severity": problem.severity.value,
    }
    if problem.line is not None:
        value["line"] = problem.line
    if problem.hint is not None:
        value["hint"] = problem.hint
    return value


def report_json(report: Report) -> Json:
    """The old fields hold texts; `problems` holds the same with code, line and hint."""
    return {
        "success": report.success,
        "runbook": report.ref,
        "errors": [problem.text for problem in report.errors],
        "warnings": [problem.text for problem in report.warnings],
        "problems": [problem_json(p) for p in (*report.errors, *report.warnings)],
    }


def runbook_json(entry: Entry) -> Json:
    """What a runbook declares, without its text."""
    document: Document = entry.document
    runbook = document.runbook
    return {
        "filename": entry.ref,
        "name": document.name,
        "valid": not document.errors,
        "digest": document.digest,
        "description": runbook.description if runbook else "",
        "inputs": [input_json(item) for item in document.inputs],
        "claims": None
        if document.claims is None
        else {name: list(values) for name, values in document.claims.items()},
        "steps": [step_json(step) for step in runbook.steps] if runbook else [],
        "problems": [problem_json(problem) for problem in document.problems],
    }


def input_json(item: Input) -> Json:
    return {
        "name": item.name,
        "description": item.description,
        "type": item.type.value,
        "typed": item.typed,
        "default": item.default,
        "optional": item.optional,
        "choices": list(item.choices),
        "choices_from": None
        if item.choices_from is None
        else {"runbook": item.choices_from.ref, "output": item.choices_from.output},
        "pattern": item.pattern,
        "min": item.minimum,
        "max": item.maximum,
        "group": item.group,
        "example": item.example,
        "from": None if item.source is None else item.source.kind.value,
        "line": item.line,
    }


def step_json(step: Step) -> Json:
    return {"name": step.name, "language": step.language.value, "line": step.line}


def log_line_json(line: LogLine) -> Json:
    return {
        "line": line.number,
        "at": iso(line.at),
        "step": line.step,
        "stream": line.stream.value,
        "text": line.text,
        **({"cut": True} if line.cut else {}),
    }
