"""The preview of a dry run: the scripts and the values that they would get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from typing_extensions import TypedDict

from runbook.core.document import Language, Runbook, Step
from runbook.core.run import Run
from runbook.core.waiting import LockWait
from runbook.resources.forms import Doc
from runbook.resources.run import LockHolderJson, holder_json, inputs_json


class PreviewLockJson(TypedDict):
    lock: str
    held_by: Annotated[LockHolderJson | None, Doc("Current holder")]


class RunbookLocksJson(TypedDict):
    """The locks that a run would take."""

    locks: list[PreviewLockJson]


class PreviewStepJson(TypedDict):
    name: str
    language: Language
    line: int
    conditions: list[str]
    timeout_seconds: float | None
    script: str
    undo: str | None


class PreviewJson(TypedDict):
    runbook: str
    digest: str
    supported: bool
    claims: dict[str, list[str]]
    inputs: Annotated[
        dict[str, dict[str, Any]],
        Doc("Each with its `value`, or with `given` if the value is not shown"),
    ]
    files: list[str]
    locks: list[PreviewLockJson]
    timeout_seconds: float
    steps: Annotated[list[PreviewStepJson], Doc("Steps that a real run would start with")]


def preview_json(
    runbook: Runbook, steps: Iterable[Step], run: Run, locks: Mapping[str, LockWait | None]
) -> PreviewJson:
    """`locks` has the locks that a real run would take, each with its current holder."""
    claims = runbook.claims or {}
    return {
        "runbook": run.ref,
        "digest": run.runbook.digest,
        "supported": runbook.policy.dry_run,
        "claims": {name: list(values) for name, values in claims.items()},
        "inputs": inputs_json(run.request.inputs),
        "files": [item.path for item in runbook.files_in],
        "locks": _locks_json(locks),
        "timeout_seconds": run.request.timeout_s,
        "steps": [_step_json(step) for step in steps],
    }


def runbook_locks_json(locks: Mapping[str, LockWait | None]) -> RunbookLocksJson:
    return {"locks": _locks_json(locks)}


def _locks_json(locks: Mapping[str, LockWait | None]) -> list[PreviewLockJson]:
    return [
        {"lock": name, "held_by": None if holder is None else holder_json(holder)}
        for name, holder in locks.items()
    ]


def _step_json(step: Step) -> PreviewStepJson:
    return {
        "name": step.name,
        "language": step.language,
        "line": step.line,
        "conditions": [condition.text for condition in step.conditions],
        "timeout_seconds": step.timeout_s,
        "script": step.source,
        "undo": step.undo.source if step.undo else None,
    }
