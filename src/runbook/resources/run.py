"""A run, in lists and with all its details."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from typing_extensions import TypedDict

from runbook.core.connection import ConnectionUse
from runbook.core.document import texts_of
from runbook.core.effects import Effect
from runbook.core.outcome import PlanLabel, StepRun
from runbook.core.run import Origin, Purpose, Relation, Run
from runbook.core.run_details import RunAction, RunDetails
from runbook.core.status import RunStatus, StepStatus
from runbook.core.times import iso
from runbook.core.toolkit import ToolkitVersion
from runbook.core.waiting import LockWait, WaitKind, WaitReason
from runbook.resources.artifact import ArtifactJson, artifact_json
from runbook.resources.forms import Doc, optional_iso
from runbook.resources.problem import ProblemItemJson, problem_json, problems_json
from runbook.script.limits import EffectState


class LockHolderJson(TypedDict):
    """Who holds a lock, and since when."""

    lock: str
    run_id: str
    runbook: str
    by: str
    since: str


class WaitReasonJson(LockHolderJson):
    """Why a run waits; `kind` says for what. The other members are those of a lock."""

    kind: WaitKind


class RunToolkitJson(TypedDict):
    """The toolkit that a run's runbook belongs to."""

    slug: str
    version: str
    digest: Annotated[str, Doc("SHA-256 of its files, histories aside, when installed")]


class RunJson(TypedDict):
    """A run. Times are ISO 8601, UTC."""

    id: str
    runbook: str
    name: str
    status: RunStatus
    active: Annotated[bool, Doc("Whether the run has not finished yet")]
    success: bool
    return_code: int | None
    digest: str
    toolkit: RunToolkitJson | None
    by: str
    origin: Origin
    roles: list[str]
    address: str | None
    reason: str | None
    correlation_id: str
    chain: list[str]
    parent_id: str | None
    root_id: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    duration_ms: int | None
    timeout_seconds: float
    inputs: Annotated[
        dict[str, dict[str, Any]],
        Doc("Each with its `value`, or with `given` if the value is not shown"),
    ]
    errors: list[str]
    warnings: list[str]
    problems: Annotated[list[ProblemItemJson], Doc("Errors and warnings with code and parameters")]
    outputs: dict[str, Any]
    cancel_requested_by: str | None
    log_bytes: int
    log_lines: int
    last_event: int
    dry_run: bool
    label: PlanLabel | None
    relation: Relation | None
    related_id: Annotated[str | None, Doc("The run that this one retries, resumes or undoes")]
    start_step: int | None
    queue: str | None
    purpose: Annotated[
        Purpose | None, Doc("What it is run for, if not for itself; lists leave such runs out")
    ]
    locks: list[str]
    waiting: WaitReasonJson | None


class AcceptedJson(TypedDict):
    """A run that was started without waiting for it."""

    run_id: str
    status: RunStatus


class RunPageJson(TypedDict):
    runs: list[RunJson]
    next_cursor: str | None


class StepRunJson(TypedDict):
    """The result of a step."""

    n: int
    name: str
    status: StepStatus
    started_at: str
    finished_at: str | None
    return_code: int | None
    attempts: int
    first_line: Annotated[int, Doc("First line in the log, from 1")]
    last_line: int


class EffectJson(TypedDict):
    """A change outside that a step made or was about to make."""

    id: str
    step: int | None
    key: str
    what: str
    state: EffectState
    at: str
    probe: Annotated[dict[str, Any], Doc("What another attempt looks for")]
    outcome: dict[str, Any]
    settled_at: str | None
    settled_by: Annotated[str | None, Doc("The run that said last how it ended")]


class ConnectionUseJson(TypedDict):
    """A connection that a run used."""

    input: str
    name: str
    kind: str
    revision: Annotated[int | None, Doc("null for one that is not in the database")]


class RelativeJson(TypedDict):
    id: str
    runbook: str
    name: str
    status: RunStatus
    active: bool
    dry_run: bool


class FollowerJson(RelativeJson):
    relation: Relation


class ChildRunJson(RunJson):
    """A run with the runs that it called and that you may see."""

    children: list[ChildRunJson]


class UnavailableJson(TypedDict):
    action: RunAction
    problem: Annotated[ProblemItemJson, Doc("Why the action is unavailable")]


class WholeRunJson(ChildRunJson):
    """A run with its steps, artifacts and related runs."""

    more_children: Annotated[
        bool, Doc("Whether it called more runs than the latest 200, which `children` has")
    ]
    steps: list[StepRunJson]
    summary: Annotated[str | None, Doc("Markdown")]
    artifacts: list[ArtifactJson]
    effects: Annotated[
        list[EffectJson], Doc("Changes that the steps recorded; see docs/connectors.md")
    ]
    connections: Annotated[
        list[ConnectionUseJson], Doc("The connections that the run used, by input")
    ]
    devices: Annotated[list[str], Doc("The first 200 devices that the run was for, or reported")]
    fanouts: Annotated[int, Doc("Number of its fan-outs: /api/runs/{id}/devices has their devices")]
    parent: Annotated[RelativeJson | None, Doc("The run that called this one, if you may see it")]
    related: Annotated[
        RelativeJson | None,
        Doc("The run that this one retries, resumes or undoes, if you may see it"),
    ]
    followers: Annotated[
        list[FollowerJson],
        Doc("The latest retries, resumes and undos of this run that you may see, up to 100"),
    ]
    available_actions: Annotated[
        list[RunAction], Doc("Actions that you can perform on the run now")
    ]
    unavailable_actions: Annotated[
        list[UnavailableJson], Doc("Actions that you can't perform now, and why")
    ]
    resume_from: Annotated[
        int | None, Doc("Step at which a resume starts, from 1; null if the run can't be resumed")
    ]


def run_json(run: Run) -> RunJson:
    who, asked, result, lock_request = run.requester, run.request, run.result, run.request.locks
    return {
        "id": run.id,
        "runbook": run.ref,
        "name": run.runbook.name,
        "status": run.status,
        "active": not run.status.terminal,
        "success": run.success,
        "return_code": result.return_code,
        "digest": run.runbook.digest,
        "toolkit": toolkit_json(run.runbook.toolkit),
        "by": who.subject,
        "origin": who.origin,
        "roles": list(who.roles),
        "address": who.address,
        "reason": asked.reason,
        "correlation_id": run.correlation_id,
        "chain": list(run.tree.chain),
        "parent_id": run.tree.parent_id,
        "root_id": run.tree.root_id,
        "created_at": iso(run.times.created_at),
        "started_at": optional_iso(run.times.started_at),
        "finished_at": optional_iso(run.times.finished_at),
        "duration_ms": run.times.duration_ms,
        "timeout_seconds": asked.timeout_s,
        "inputs": inputs_json(asked.inputs),
        "errors": texts_of(result.errors),
        "warnings": texts_of(result.warnings),
        "problems": problems_json((*result.errors, *result.warnings)),
        "outputs": dict(result.outputs),
        "cancel_requested_by": run.cancel.by if run.cancel else None,
        "log_bytes": run.log.bytes,
        "log_lines": run.log.lines,
        "last_event": run.log.last_event,
        "dry_run": asked.dry_run,
        "label": result.label,
        "relation": run.relation,
        "related_id": run.related_id,
        "start_step": run.rerun_of.start_step if run.rerun_of else None,
        "queue": asked.queue,
        "purpose": asked.purpose,
        "locks": [want.name for want in lock_request.wants] if lock_request else [],
        "waiting": None if run.waiting is None else wait_json(run.waiting),
    }


def toolkit_json(toolkit: ToolkitVersion | None) -> RunToolkitJson | None:
    if toolkit is None:
        return None
    return {"slug": toolkit.slug, "version": toolkit.version, "digest": toolkit.digest}


def inputs_json(inputs: Mapping[str, str | None]) -> dict[str, dict[str, Any]]:
    return {
        name: {"given": True} if value is None else {"value": value}
        for name, value in inputs.items()
    }


def wait_json(reason: WaitReason) -> WaitReasonJson:
    match reason:
        case LockWait():
            return {"kind": reason.kind, **holder_json(reason)}


def holder_json(holder: LockWait) -> LockHolderJson:
    return {
        "lock": holder.lock,
        "run_id": holder.run_id,
        "runbook": holder.ref,
        "by": holder.by,
        "since": iso(holder.since),
    }


def run_page_json(runs: Iterable[Run], next_cursor: str | None) -> RunPageJson:
    return {"runs": [run_json(run) for run in runs], "next_cursor": next_cursor}


def whole_run_json(details: RunDetails) -> WholeRunJson:
    parent, related, actions = details.parent, details.related, details.actions
    return {
        **run_json(details.run),
        "steps": [step_run_json(step) for step in details.steps],
        "summary": details.summary,
        "artifacts": [artifact_json(artifact) for artifact in details.artifacts],
        "effects": [effect_json(effect) for effect in details.effects],
        "connections": [connection_use_json(use) for use in details.connections],
        "devices": list(details.devices),
        "fanouts": details.fanouts,
        "parent": None if parent is None else relative_json(parent),
        "related": None if related is None else relative_json(related),
        "followers": [_follower_json(one, one.relation) for one in details.reruns if one.relation],
        "available_actions": list(actions.available),
        "unavailable_actions": [
            {"action": action, "problem": problem_json(problem)}
            for action, problem in actions.unavailable.items()
        ],
        "resume_from": actions.resume_from,
        "children": _children_json(details.run, details.below),
        "more_children": details.more_below,
    }


def step_run_json(step: StepRun) -> StepRunJson:
    return {
        "n": step.n,
        "name": step.name,
        "status": step.status,
        "started_at": iso(step.started_at),
        "finished_at": optional_iso(step.finished_at),
        "return_code": step.return_code,
        "attempts": step.attempts,
        "first_line": step.first_line,
        "last_line": step.last_line,
    }


def effect_json(effect: Effect) -> EffectJson:
    return {
        "id": effect.id,
        "step": effect.step,
        "key": effect.key,
        "what": effect.what,
        "state": effect.state,
        "at": iso(effect.at),
        "probe": dict(effect.probe),
        "outcome": dict(effect.outcome),
        "settled_at": optional_iso(effect.settled_at),
        "settled_by": effect.settled_by,
    }


def connection_use_json(use: ConnectionUse) -> ConnectionUseJson:
    return {"input": use.input, "name": use.name, "kind": use.kind, "revision": use.revision}


def relative_json(run: Run) -> RelativeJson:
    return {
        "id": run.id,
        "runbook": run.ref,
        "name": run.runbook.name,
        "status": run.status,
        "active": not run.status.terminal,
        "dry_run": run.request.dry_run,
    }


def _follower_json(run: Run, relation: Relation) -> FollowerJson:
    return {**relative_json(run), "relation": relation}


def _children_json(run: Run, tree: Iterable[Run]) -> list[ChildRunJson]:
    family: dict[str | None, list[Run]] = {}
    for relative in tree:
        family.setdefault(relative.tree.parent_id, []).append(relative)
    return _below(run.id, family)


def _below(run_id: str, family: Mapping[str | None, Sequence[Run]]) -> list[ChildRunJson]:
    return [{**run_json(run), "children": _below(run.id, family)} for run in family.get(run_id, ())]
