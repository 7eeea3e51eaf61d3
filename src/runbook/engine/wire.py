"""The JSON forms of what the engine answers: the same over HTTP and on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.core.access import Decision
from runbook.core.document import Document, Input, Policy, Problem, Retry, Step
from runbook.core.outcome import Artifact, StepRun
from runbook.core.reruns import Numbered
from runbook.core.run import Run
from runbook.core.times import Millis, iso
from runbook.core.waiting import Holder
from runbook.engine.requests import Executed, Listed, Report, Undoing
from runbook.library.catalog import Entry
from runbook.store.models import Activity, LastRun, LogLine

Json = dict[str, object]


def run_json(run: Run) -> Json:
    """A run. Times are ISO 8601, UTC; `inputs` shows values, or `given` where one is kept back."""
    who = run.requester
    return {
        "id": run.id,
        "runbook": run.ref,
        "name": run.runbook.name,
        "status": run.status.value,
        "success": run.success,
        "return_code": run.result.return_code,
        "digest": run.runbook.digest,
        "by": who.subject,
        "origin": who.origin.value,
        "roles": who.roles,
        "address": who.address,
        "reason": run.request.reason,
        "correlation_id": run.correlation_id,
        "chain": list(run.tree.chain),
        "parent_id": run.tree.parent_id,
        "root_id": run.tree.root_id,
        "created_at": iso(run.times.created_at),
        "started_at": _iso(run.times.started_at),
        "finished_at": _iso(run.times.finished_at),
        "duration_ms": run.times.duration_ms,
        "timeout_seconds": run.request.timeout_s,
        "inputs": {
            name: {"given": True} if value is None else {"value": value}
            for name, value in run.request.inputs.items()
        },
        "errors": list(run.result.errors),
        "warnings": list(run.result.warnings),
        "outputs": dict(run.result.outputs),
        "cancel_requested_by": run.cancel.by if run.cancel else None,
        "log_bytes": run.log.bytes,
        "log_lines": run.log.lines,
        "last_event": run.log.last_event,
        "dry_run": run.request.dry_run,
        "label": run.result.label,
        "relation": run.relation,
        "related_id": run.related_id,
        "start_step": run.rerun_of.start_step if run.rerun_of else None,
        "queue": run.request.queue,
        "locks": [want.name for want in run.request.locks.wants] if run.request.locks else [],
        "waiting": None if run.waiting is None else holder_json(run.waiting),
    }


def holder_json(holder: Holder) -> Json:
    """Why a run waits: the lock, and who holds it since when."""
    return {
        "lock": holder.lock,
        "run_id": holder.run_id,
        "runbook": holder.ref,
        "by": holder.by,
        "since": iso(holder.since),
    }


def activity_json(activity: Activity) -> Json:
    """What goes on, as live lists are told."""
    return {
        "active": [
            {
                "id": run.id,
                "runbook": run.ref,
                "status": run.status.value,
                "by": run.by,
                "created_at": iso(run.created_at),
                "started_at": _iso(run.started_at),
                "waiting": None if run.waiting is None else holder_json(run.waiting),
            }
            for run in activity.active
        ],
        "revision": activity.revision,
    }


def run_document_json(executed: Executed) -> Json:
    """`changed` is true also where the runbook is gone."""
    return {
        "digest": executed.digest,
        "content": text_of(executed.content),
        "changed": executed.current_digest != executed.digest,
        "current_digest": executed.current_digest,
    }


def undoing_json(undoing: Undoing) -> Json:
    return {"steps": _steps_json(undoing.steps), "left": _steps_json(undoing.left)}


def _steps_json(steps: Sequence[Numbered]) -> list[Json]:
    return [{"n": item.n, "name": item.step.name} for item in steps]


def text_of(content: bytes) -> str:
    """A document's bytes as text, without the byte order mark."""
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def step_run_json(step: StepRun) -> Json:
    """What became of a step. `first_line` and `last_line` are its lines of the log."""
    return {
        "n": step.n,
        "name": step.name,
        "status": step.status.value,
        "started_at": iso(step.started_at),
        "finished_at": _iso(step.finished_at),
        "return_code": step.return_code,
        "attempts": step.attempts,
        "first_line": step.first_line,
        "last_line": step.last_line,
    }


def artifact_json(artifact: Artifact) -> Json:
    return {"name": artifact.name, "size": artifact.size, "sha256": artifact.sha256}


def _iso(at: Millis | None) -> str | None:
    return None if at is None else iso(at)


def listed_json(item: Listed) -> Json:
    entry = item.entry
    return {
        "filename": entry.ref,
        "name": entry.document.name,
        "path": entry.ref,
        "valid": not entry.document.errors,
        **access_json(item.decision),
        "description": entry.summary.description,
        "steps": entry.summary.steps,
        "dry_run": entry.summary.dry_run,
        "last_run": last_run_json(item.last_run),
    }


def access_json(decision: Decision) -> Json:
    """What a token may do with a runbook, and what it lacks for that."""
    return {
        "executable": decision.allowed,
        "missing_claims": [str(one) for one in decision.missing],
        "requirements": [
            {
                "claim": one.claim,
                "wanted": list(one.wanted),
                "given": None if one.given is None else list(one.given),
            }
            for one in decision.unmet
        ],
    }


def found_json(item: Listed) -> Json:
    """A listed runbook, and where in its text what was sought was found."""
    match = item.match
    where = None if match is None else {"line": match.line, "text": match.text}
    return listed_json(item) | {"match": where}


def last_run_json(last: LastRun | None) -> Json | None:
    """None also where there were dry runs only, which say nothing about the runbook's state."""
    if last is None or last.last_run_id is None:
        return None
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
        "policy": policy_json(runbook.policy) if runbook else None,
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
    return {
        "name": step.name,
        "language": step.language.value,
        "line": step.line,
        "heading_line": step.heading_line,
        "conditions": [condition.text for condition in step.conditions],
        "timeout_seconds": step.timeout_s,
        "retry": None if step.retry is None else retry_json(step.retry),
        "continue": step.continues,
        "reversible": step.undo is not None,
    }


def retry_json(retry: Retry) -> Json:
    return {
        "attempts": retry.attempts,
        "backoff_seconds": retry.backoff_s,
        "on": None if retry.codes is None else sorted(retry.codes),
    }


def policy_json(policy: Policy) -> Json:
    """What the Policy section says, defaults included; texts still hold their `${NAME}`."""
    return {
        "timeout_seconds": policy.timeout_s,
        "locks": list(policy.locks),
        "on_busy": policy.on_busy.value,
        "concurrency": policy.concurrency,
        "retry": retry_json(policy.retry),
        "on_failure": policy.on_failure.value,
        "queue": policy.queue,
        "dry_run": policy.dry_run,
        "confirm": policy.confirm,
        "success_codes": sorted(policy.success_codes),
    }


def log_line_json(line: LogLine) -> Json:
    return {
        "line": line.number,
        "at": iso(line.at),
        "step": line.step,
        "stream": line.stream.value,
        "text": line.text,
        **({"cut": True} if line.cut else {}),
    }
