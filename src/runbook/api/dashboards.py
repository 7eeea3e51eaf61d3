"""HTTP metrics under the names of prometheus-flask-exporter, which existing dashboards use."""

from __future__ import annotations

import time
from typing import Any

from flask import Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram

DASHBOARD = "runbook_dashboards"


def matched_rule(incoming: Any) -> str:
    """The request's rule: unlike paths, rules are few."""
    return incoming.url_rule.rule if incoming.url_rule is not None else "none"


matched_rule.__name__ = "rule"  # the name of the label


class DashboardMetrics:
    """Counts requests. The label `path` has the rule."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "flask_http_request", "HTTP requests", ("method", "status"), registry=registry
        )
        self._duration = Histogram(
            "flask_http_request_duration_seconds",
            "Duration of HTTP requests",
            ("method", "path", "status"),
            registry=registry,
        )
        self._exceptions = Counter(
            "flask_exceptions", "HTTP requests that failed unexpectedly", registry=registry
        )

    def begin(self) -> None:
        g.begun = time.perf_counter()

    def count(self, response: Response) -> Response:
        method, status = request.method, str(response.status_code)
        self._requests.labels(method, status).inc()
        seconds = time.perf_counter() - g.begun
        self._duration.labels(method, matched_rule(request), status).observe(seconds)
        return response

    def count_exception(self) -> None:
        self._exceptions.inc()
