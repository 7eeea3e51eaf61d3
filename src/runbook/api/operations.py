"""Health, status and metrics."""

from __future__ import annotations

import platform

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from runbook import __version__
from runbook.api import wire
from runbook.api.context import application, engine
from runbook.api.routing import PUBLIC, Limit, RoutePolicy, route
from runbook.core.permissions import Permission
from runbook.errors import NotFoundError
from runbook.metrics import QueueCollector
from runbook.resources.problem import problems_json
from runbook.resources.server import (
    ProbeJson,
    PublicInfoJson,
    StatusJson,
    engine_status_json,
    isolation_json,
    readiness_json,
)
from runbook.settings import metrics_directory

blueprint = Blueprint("server", __name__)


@route(
    blueprint,
    "/livez",
    policy=RoutePolicy(
        PUBLIC,
        Limit.NONE,
        "Liveness check: the process responds",
        schema="Liveness",
        any_query=True,
    ),
)
def check_liveness() -> Response:
    return wire.json_reply({"status": "ok"})


@route(
    blueprint,
    "/readyz",
    policy=RoutePolicy(
        PUBLIC,
        Limit.NONE,
        "Readiness check: runs can be accepted and executed",
        replies={503: "Not ready; see `reasons`"},
        schema="Probe",
        any_query=True,
    ),
)
def check_readiness() -> Response:
    found = readiness_json(engine().health.problems())
    isolated = engine().health.isolated()
    body: ProbeJson = {
        "status": "ok" if found["ready"] else "not ready",
        "database": engine().health.database_kind,
        "reasons": found["reasons"],
        "problems": found["problems"],
        "notes": problems_json(isolated.notes() if isolated else ()),
    }
    return wire.json_reply(body, 200 if found["ready"] else 503)


@route(
    blueprint,
    "/api/status",
    policy=RoutePolicy(
        Permission.SERVER_READ,
        Limit.NORMAL,
        "Get versions, database, queue and workers",
        schema="Status",
    ),
)
def get_status() -> Response:
    settings = application().settings
    found = engine().health.status()
    isolated = found.isolated
    body: StatusJson = {
        "version": __version__,
        "python": platform.python_version(),
        **engine_status_json(
            database=found.database,
            queue=found.queue,
            workers=found.workers,
            running=found.running,
            problems=found.problems,
            isolation=None
            if isolated is None
            else isolation_json(isolated.mode.value, isolated.user, isolated.notes()),
        ),
        "ui": {
            "header": settings.ui_header,
            "login": settings.enable_login,
            "idp_login_uri": settings.idp_login_uri,
        },
    }
    return wire.json_reply(body)


@route(
    blueprint,
    "/api/public",
    policy=RoutePolicy(PUBLIC, Limit.NONE, "Get what a sign-in page needs", schema="PublicInfo"),
)
def get_public_info() -> Response:
    settings = application().settings
    body: PublicInfoJson = {
        "header": settings.ui_header,
        "dev_login": settings.enable_login,
        "idp_login_uri": settings.idp_login_uri,
        "version": __version__,
    }
    return wire.json_reply(body)


@route(
    blueprint,
    "/metrics",
    policy=RoutePolicy(
        PUBLIC, Limit.NONE, "Get Prometheus metrics", media=("text/plain",), any_query=True
    ),
)
def get_metrics() -> Response:
    port = application().settings.metrics_port
    if port and request.environ.get("SERVER_PORT") != str(port):
        raise NotFoundError("Metrics are available on METRICS_PORT.")
    registry = application().registry
    if metrics_directory():
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    queue = CollectorRegistry()
    queue.register(QueueCollector(engine()))
    text = generate_latest(registry) + generate_latest(queue)
    return Response(text, 200, content_type=CONTENT_TYPE_LATEST)
