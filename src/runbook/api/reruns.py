"""Reruns (retry, resume, undo) and artifacts of a run."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from flask import Blueprint, Response, send_file

from runbook.api import accept, wire
from runbook.api.bodies import ResumeBody, RunBody, read_body
from runbook.api.context import engine, principal, run_of
from runbook.api.execution import execute_request, started_reply, starting
from runbook.api.routing import Limit, Parameter, RoutePolicy, View, route
from runbook.core.permissions import Permission
from runbook.engine.requests import Submitted
from runbook.errors import NotFoundError
from runbook.resources.artifact import artifact_list_json
from runbook.resources.rerun import undoing_json

blueprint = Blueprint("reruns", __name__, url_prefix="/api/runs")
_REUSED = (
    "Starts a new run with the stored inputs of the earlier one; `env_vars` overrides them, and "
    "provides those that are not stored. The response is as for executeRunbook."
)


def following(
    action: str, summary: str, description: str, body: type[RunBody] = RunBody
) -> Callable[[View], View]:
    """Declare a view that starts a rerun."""
    policy = starting(Permission.RUN_RERUN, summary, f"{description} {_REUSED}", body)
    return route(blueprint, f"/<run_id>/{action}", policy=policy, methods=("POST",))


@following(
    "retry",
    "Retry a run from the start with the same inputs",
    "Executes the current version of the runbook.",
)
def retry_run(run_id: str) -> Response:
    asked = execute_request(read_body(RunBody))
    return started(engine().retry(run_of(run_id), principal(), asked))


@following(
    "resume",
    "Resume a run after the last completed step",
    "Doesn't execute the completed steps again, nor those before `from_step`.",
    ResumeBody,
)
def resume_run(run_id: str) -> Response:
    body = read_body(ResumeBody)
    asked = execute_request(body)
    return started(engine().resume(run_of(run_id), principal(), asked, body.from_step))


@following(
    "undo",
    "Undo the completed steps of a run",
    "Executes the Undo blocks of the completed steps, the last one first.",
)
def undo_run(run_id: str) -> Response:
    asked = execute_request(read_body(RunBody))
    return started(engine().undo(run_of(run_id), principal(), asked))


@route(
    blueprint,
    "/<run_id>/undo",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "Preview an undo",
        description="The steps that an undo would reverse, and those that have no Undo.",
        schema="Undoing",
        conflicts=True,
        tag="runs",
    ),
)
def preview_undo(run_id: str) -> Response:
    found = engine().undo_plan(run_of(run_id))
    return wire.json_reply(undoing_json(found.steps, found.left))


def started(submitted: Submitted) -> Response:
    return started_reply(submitted, as_json=accept.prefers_json())


@route(
    blueprint,
    "/<run_id>/artifacts",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NONE,
        "List the artifacts of a run",
        description="The files that the script left, with their sizes and digests.",
        schema="ArtifactList",
        tag="runs",
    ),
)
def list_artifacts(run_id: str) -> Response:
    found = engine().runs.artifacts(run_of(run_id))
    return wire.json_reply(artifact_list_json(found))


@route(
    blueprint,
    "/<run_id>/artifacts/<path:artifact>",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NONE,
        "Download an artifact",
        media=("application/octet-stream",),
        parameters=(Parameter("Range", "Byte range, as `bytes=FIRST-LAST`", "header"),),
        replies={206: "The requested range", 416: "The range is beyond the end of the file"},
        headers=("ETag",),
        tag="runs",
    ),
)
def get_artifact(run_id: str, artifact: str) -> Response:
    run = run_of(run_id)
    kept = next((a for a in engine().runs.artifacts(run) if a.name == artifact), None)
    if kept is None:
        raise NotFoundError(f"The run has no artifact {artifact}.")
    reply = send_file(
        engine().runs.artifact_path(run, kept.name),
        mimetype="application/octet-stream",
        etag=kept.sha256,
        conditional=True,
    )
    # A name may contain anything, so use only the encoded form, which needs no quoting.
    name = quote(kept.name.rpartition("/")[2], safe="")
    reply.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    reply.headers["X-Content-Type-Options"] = "nosniff"
    return reply
