"""For operators and their machines: health, metrics."""

from __future__ import annotations

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from runbook.api import wire
from runbook.api.context import application, engine
from runbook.api.routing import Access, Limit, Policy, route
from runbook.errors import NotFoundError, RunbookError
from runbook.metrics import QueueCollector
from runbook.settings import metrics_directory

blueprint = Blueprint("operations", __name__)


@route(
    blueprint,
    "/livez",
    policy=Policy(Access.PUBLIC, Limit.NONE, "The process answers"),
)
def livez() -> Response:
    return wire.json_reply({"status": "ok"})


@route(
    blueprint,
    "/readyz",
    policy=Policy(
        Access.PUBLIC,
        Limit.NONE,
        "Runs can be accepted and executed; otherwise 503 with the reasons",
        replies={503: "Not ready; `reasons` says why"},
    ),
)
def readyz() -> Response:
    reasons = []
    try:
        engine().store.check()
        if not engine().store.queue_stats().accepting:
            reasons.append("no worker takes runs: it is starting, draining or gone")
    except RunbookError as error:
        reasons.append(error.message)
    if not engine().parts.options.runbooks_dir.is_dir():
        reasons.append("RUNBOOKS_DIR is not a folder")
    status = "not ready" if reasons else "ok"
    return wire.json_reply({"status": status, "reasons": reasons}, 503 if reasons else 200)


@route(
    blueprint,
    "/metrics",
    policy=Policy(Access.PUBLIC, Limit.NONE, "Prometheus metrics", media=("text/plain",)),
)
def metrics() -> Response:
    port = application().settings.metrics_port
    if port and request.environ.get("SERVER_PORT") != str(port):
        raise NotFoundError("Metrics are served on METRICS_PORT.")
    registry = application().registry
    if metrics_directory():
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    queue = CollectorRegistry()
    queue.register(QueueCollector(engine()))
    text = generate_latest(registry) + generate_latest(queue)
    return Response(text, 200, content_type=CONTENT_TYPE_LATEST)
