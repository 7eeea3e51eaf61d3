"""For operators and their machines: health, metrics."""

from __future__ import annotations

import platform

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from runbook import __version__
from runbook.api import wire
from runbook.api.context import application, engine
from runbook.api.routing import Access, Limit, Policy, route
from runbook.engine.status import engine_status, engine_status_json, reasons_not_ready
from runbook.engine.wire import Json
from runbook.errors import NotFoundError
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
    reasons = reasons_not_ready(engine().parts)
    status = "not ready" if reasons else "ok"
    body = {
        "status": status,
        "database": engine().store.maintenance.kind,
        "reasons": reasons,
    }
    return wire.json_reply(body, 503 if reasons else 200)


@route(
    blueprint,
    "/api/status",
    policy=Policy(
        Access.CALLER, Limit.NORMAL, "Versions, the database, the queue, workers", schema="Status"
    ),
)
def status() -> Response:
    settings = application().settings
    body: Json = {"version": __version__, "python": platform.python_version()}
    body |= engine_status_json(engine_status(engine().parts))
    body["ui"] = {
        "header": settings.ui_header,
        "login": settings.enable_login,
        "idp_login_uri": settings.idp_login_uri,
    }
    return wire.json_reply(body)


@route(
    blueprint,
    "/api/public",
    policy=Policy(
        Access.PUBLIC, Limit.NONE, "What the sign-in page needs to know", schema="PublicInfo"
    ),
)
def public() -> Response:
    settings = application().settings
    return wire.json_reply(
        {
            "header": settings.ui_header,
            "dev_login": settings.enable_login,
            "idp_login_uri": settings.idp_login_uri,
            "version": __version__,
        }
    )


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
