"""The JSON form of a run with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.engine.wire import Json, artifact_json, run_json, step_run_json

SHOWN_FOLLOWERS = 100


def whole_run_json(run: Run, engine: Engine, principal: Principal) -> Json:
    """A run with its steps, artifacts, summary, and the runs that it has to do with."""
    store = engine.store
    return run_json(run) | {
        "steps": [step_run_json(step) for step in store.steps.of(run.id)],
        "summary": store.runs.summary(run.id),
        "artifacts": [artifact_json(artifact) for artifact in store.artifacts.of(run.id)],
        "parent": _seen(run.tree.parent_id, engine, principal),
        "related": _seen(run.related_id, engine, principal),
        "followers": [
            _relative_json(follower) | {"relation": follower.relation}
            for follower in store.runs.reruns(run.id)[-SHOWN_FOLLOWERS:]
        ],
        "children": _children_json(run, engine),
    }


def _seen(run_id: str | None, engine: Engine, principal: Principal) -> Json | None:
    """None also for one that is no longer kept, or that this principal may not see."""
    run = None if run_id is None else engine.store.runs.get(run_id)
    if run is None or not engine.may_read(run, principal):
        return None
    return _relative_json(run)


def _relative_json(run: Run) -> Json:
    return {"id": run.id, "runbook": run.ref, "name": run.runbook.name, "status": run.status.value}


def _children_json(run: Run, engine: Engine) -> list[Json]:
    family: dict[str | None, list[Run]] = {}
    for relative in engine.store.runs.tree(run.tree_id):
        family.setdefault(relative.tree.parent_id, []).append(relative)
    return _below(run.id, family)


def _below(run_id: str, family: Mapping[str | None, Sequence[Run]]) -> list[Json]:
    """The runs that a run called, each with those that it called."""
    return [run_json(run) | {"children": _below(run.id, family)} for run in family.get(run_id, ())]
