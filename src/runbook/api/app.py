"""The Flask application: blueprints, access checks, errors and metrics for every request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, g, request
from flask_limiter.errors import RateLimitExceeded
from prometheus_client import CollectorRegistry
from prometheus_flask_exporter import PrometheusMetrics
from werkzeug.exceptions import HTTPException

from runbook import log
from runbook.api import (
    audit,
    context,
    documentation,
    limits,
    operations,
    reruns,
    runbooks,
    runs,
    session,
    toolkits,
    webapp,
    wire,
)
from runbook.api.bodies import EmptyBody, read_body
from runbook.api.connections import views as connections
from runbook.api.context import Application
from runbook.api.dashboards import DASHBOARD, DashboardMetrics, matched_rule
from runbook.api.fanout import views as fanout
from runbook.api.inventory import backups
from runbook.api.inventory import views as inventory
from runbook.api.parameters import check_query
from runbook.api.routing import PUBLIC, PageConverter, RefConverter, policy_of
from runbook.errors import AccessDeniedError, NotFoundError, RunbookError

KEPT_HEADERS = ("Allow", "Content-Range", "Retry-After")
QUIET = frozenset({"/livez", "/readyz", "/metrics"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"})


class TooManyRequestsError(RunbookError):
    """Too many requests. Wait for the number of seconds in Retry-After."""

    code = "rate_limited"
    http_status = 429
    exit_code = 75


_MODULES = (
    runbooks,
    runs,
    reruns,
    toolkits,
    connections,
    inventory,
    backups,
    fanout,
    audit,
    session,
    operations,
    documentation,
    webapp,
)


def create_app(application: Application) -> Flask:
    """The WSGI application for an engine, which need not be open yet."""
    app = Flask("runbook.api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = application.settings.max_body_bytes
    app.url_map.converters |= {"ref": RefConverter, "page": PageConverter}
    app.url_map.merge_slashes = False
    app.extensions[context.EXTENSION] = application
    _count_requests(app, application.registry)
    app.before_request(context.begin_request)
    app.before_request(guard_metrics_port)
    for module in _MODULES:
        app.register_blueprint(module.blueprint)
    limits.install_limits(app, application.settings)
    app.before_request(guard_request)
    app.after_request(finish_request)
    _handle_errors(app)
    app.wsgi_app = KnownMethods(app.wsgi_app)  # type: ignore[method-assign]
    return app


def guard_metrics_port() -> None:
    """Serve only metrics and health on METRICS_PORT, so that it can be opened to monitoring."""
    port = context.application().settings.metrics_port
    if port and request.environ.get("SERVER_PORT") == str(port) and request.path not in QUIET:
        raise NotFoundError("This port serves only metrics and health checks.")


def guard_request() -> None:
    """Deny by default: a view without a policy is not served.

    Runs after the rate limits, so that token guessing is limited too.
    """
    if request.routing_exception is not None or request.endpoint is None:
        return
    policy = policy_of(_view(request.endpoint))
    if policy is None:
        raise AccessDeniedError("This address has no access policy, so it is not served.")
    if policy.permission is not PUBLIC:
        caller = context.principal()
        context.engine().calling_run(caller)  # a script's token is invalid once its run has ended
        context.engine().authorizer.require(caller, policy.permission)
    check_query(policy)
    if policy.body is None and not policy.media_type and request.method not in SAFE:
        read_body(EmptyBody)


def _view(endpoint: str) -> Callable[..., Any] | None:
    return current_app.view_functions.get(endpoint)


def finish_request(response: Response) -> Response:
    response.headers["X-Correlation-Id"] = g.get("correlation_id", "")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Frame-Options", "DENY")
    log.event(
        "http.request",
        level=logging.DEBUG if request.path in QUIET else logging.INFO,
        method=request.method,
        path=_logged(request.path, response),
        status=response.status_code,
        correlation_id=_logged(g.get("correlation_id", ""), response),
        by=caller.subject if (caller := g.get("principal")) else None,
        address=g.get("address"),
    )
    return response


def _logged(text: str, response: Response) -> str:
    """A text for the log. What a script asked for in vain may be made of its secrets."""
    caller = g.get("principal")
    if response.status_code < HTTPStatus.BAD_REQUEST or caller is None or not caller.run_id:
        return text
    try:
        return context.engine().masked_for(caller, text)
    except RunbookError:  # the database is busy: better no text than one with a secret
        return ""


def _handle_errors(app: Flask) -> None:
    app.register_error_handler(RunbookError, wire.problem_reply)
    app.register_error_handler(RateLimitExceeded, _rate_limited)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Exception, _unexpected)


def _rate_limited(_error: RateLimitExceeded) -> Response:
    log.alert(
        "http.rate_limited",
        log.Alert.RATE_LIMIT,
        method=request.method,
        path=request.path,
        correlation_id=g.get("correlation_id"),
        by=caller.subject if (caller := g.get("principal")) else None,
        address=g.get("address"),
    )
    return wire.problem_reply(TooManyRequestsError())


_TEXTS: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "The API has no such path; /docs/openapi.yaml lists them.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This path has other methods: see the Allow header.",
}


def _http_problem(error: HTTPException) -> Response:
    """Flask's own errors (404, 405, 413, ...) as problems."""
    status = error.code or 500
    code = (error.name or "error").lower().replace(" ", "_")
    text = _TEXTS.get(status) or error.description or error.name
    reply = wire.bare_problem_reply(status, code, text)
    given = dict(error.get_headers())
    reply.headers.update({name: given[name] for name in KEPT_HEADERS if name in given})
    return reply


def _unexpected(_error: Exception) -> Response:
    """An unexpected error: the traceback goes to the log, never to the client."""
    log.failure("http.fault", path=request.path, correlation_id=g.get("correlation_id"))
    current_app.extensions[DASHBOARD].count_exception()
    return wire.internal_error()


def _count_requests(app: Flask, registry: CollectorRegistry) -> None:
    """Count requests by rule, not by path: random paths must not create new series."""
    PrometheusMetrics(
        app, path=None, group_by=matched_rule, defaults_prefix="runbook", registry=registry
    )
    app.extensions[DASHBOARD] = metrics = DashboardMetrics(registry)
    app.before_request(metrics.begin)
    app.after_request(metrics.count)


class KnownMethods:
    """Returns 501 for unknown HTTP methods, before they become a metric's label."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ.get("REQUEST_METHOD") in METHODS:
            return self._app(environ, start_response)
        made = wire.refusal(501, environ.get("HTTP_X_CORRELATION_ID", ""))
        start_response(made.status, made.headers)
        return [made.body]
