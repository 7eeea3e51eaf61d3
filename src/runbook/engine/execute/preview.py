"""What a dry run shows before anything else: the very scripts, and what they would be given."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.core.document import Runbook, Step
from runbook.core.run import Run
from runbook.engine.wire import Json, holder_json
from runbook.store.store import Store


def preview(runbook: Runbook, steps: Sequence[Step], run: Run, store: Store) -> Json:
    """The data of the first `plan` event, with the `steps` that a real run would begin with.

    Values are those that may be shown.
    """
    claims = runbook.claims or {}
    return {
        "preview": {
            "runbook": run.ref,
            "digest": run.runbook.digest,
            "supported": runbook.policy.dry_run,
            "claims": {name: list(values) for name, values in claims.items()},
            "inputs": {
                name: {"given": True} if value is None else {"value": value}
                for name, value in run.request.inputs.items()
            },
            "files": [item.path for item in runbook.files_in],
            "locks": _locks(run, store),
            "timeout_seconds": run.request.timeout_s,
            "steps": [_step(step) for step in steps],
        }
    }


def _locks(run: Run, store: Store) -> list[Json]:
    """The locks that a real run would take, with who holds one now."""
    if run.request.locks is None:
        return []
    found: list[Json] = []
    for want in run.request.locks.wants:
        holder = store.locks.holder(want)
        found.append({"lock": want.name, "held_by": holder and holder_json(holder)})
    return found


def _step(step: Step) -> Json:
    return {
        "name": step.name,
        "language": step.language.value,
        "line": step.line,
        "conditions": [condition.text for condition in step.conditions],
        "timeout_seconds": step.timeout_s,
        "script": step.source,
        "undo": step.undo.source if step.undo else None,
    }
