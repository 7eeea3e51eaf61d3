"""Reruns (retry, resume, undo) and artifacts of a run."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from flask import Blueprint, Response, send_file

from runbook.api import accept, wire
from runbook.api.bodies import ResumeBody, RunBody, read_body
from runbook.api.context import engine, principal, run_of
from runbook.api.execution import execute_request, started_reply, starting
from runbook.api.routing import Limit, Policy, View, route
from runbook.core.permissions import Permission
from runbook.engine.requests import Submitted
from runbook.errors import NotFoundError
from runbook.resources.artifact import artifact_list_json
from runbook.resources.rerun import undoing_json

blueprint = Blueprint("reruns", __name__, url_prefix="/api/runs")


def following(action: str, summary: str, body: type[RunBody] = RunBody) -> Callable[[View], View]:
    """Declare a view that starts a rerun."""
    policy = starting(Permission.RUN_RERUN, summary, body)
    return route(blueprint, f"/<run_id>/{action}", policy=policy, methods=("POST",))


@following("retry", "Retry a run from the start with the same inputs")
def retry(run_id: str) -> Response:
    asked = execute_request(read_body(RunBody))
    return started(engine().retry(run_of(run_id), principal(), asked))


@following("resume", "Resume a run after the last completed step", ResumeBody)
def resume(run_id: str) -> Response:
    body = read_body(ResumeBody)
    asked = execute_request(body)
    return started(engine().resume(run_of(run_id), principal(), asked, body.from_step))


@following("undo", "Undo the completed steps of a run")
def undo(run_id: str) -> Response:
    asked = execute_request(read_body(RunBody))
    return started(engine().undo(run_of(run_id), principal(), asked))


@route(
    blueprint,
    "/<run_id>/undo",
    policy=Policy(
        Permission.RUN_READ, Limit.NORMAL, "Preview an undo", schema="Undoing", conflicts=True
    ),
)
def get_undo(run_id: str) -> Response:
    found = engine().undo_plan(run_of(run_id))
    return wire.json_reply(undoing_json(found.steps, found.left))


def started(submitted: Submitted) -> Response:
    return started_reply(submitted, as_json=accept.prefers_json())


@route(
    blueprint,
    "/<run_id>/artifacts",
    policy=Policy(
        Permission.RUN_READ, Limit.NONE, "List the artifacts of a run", schema="ArtifactList"
    ),
)
def list_artifacts(run_id: str) -> Response:
    found = engine().runs.artifacts(run_of(run_id))
    return wire.json_reply(artifact_list_json(found))


@route(
    blueprint,
    "/<run_id>/artifacts/<path:artifact>",
    policy=Policy(
        Permission.RUN_READ,
        Limit.NONE,
        "Download an artifact",
        media=("application/octet-stream",),
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
