"""Rate limits: per principal, else per address; by Flask-Limiter, in memory or in Redis."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Response, current_app, g
from flask_limiter import Limiter

from runbook.api.routing import Limit, policy_of
from runbook.settings import Settings

RUN_TOKEN_PER_MINUTE = 6000
WINDOW_SECONDS = 60
EXTENSION = "runbook_limiter"


def install_limits(app: Flask, settings: Settings) -> None:
    """Limit every view as its policy says. Must be called when all routes are registered."""
    if not settings.rate_limit_enabled:
        return
    limiter = Limiter(
        caller_key,
        app=app,
        default_limits=[lambda: _amount(settings.rate_limit_per_minute)],
        storage_uri=_storage(settings),
        in_memory_fallback_enabled=True,
        headers_enabled=False,
    )
    for endpoint, view in list(app.view_functions.items()):
        policy = policy_of(view)
        if policy is None or policy.limit is Limit.NONE:
            limiter.exempt(view)
        elif policy.limit is Limit.EXECUTE:
            _limit_executions(app, limiter, endpoint, settings.rate_limit_execute_per_minute)
    app.extensions[EXTENSION] = limiter
    app.after_request(add_headers)


def _limit_executions(app: Flask, limiter: Limiter, endpoint: str, per_minute: int) -> None:
    limited: Any = limiter.limit(lambda: _amount(per_minute))(app.view_functions[endpoint])
    app.view_functions[endpoint] = limited


def caller_key() -> str:
    """A script is counted by its run, any other caller by subject, strangers by address."""
    caller = g.get("principal")
    if caller is None:
        return f"address:{g.get('address', '')}"
    return f"run:{caller.run_id}" if caller.run_id else f"subject:{caller.subject}"


def _amount(per_minute: int) -> str:
    caller = g.get("principal")
    is_script = caller is not None and caller.run_id is not None
    return f"{RUN_TOKEN_PER_MINUTE if is_script else per_minute} per minute"


def _storage(settings: Settings) -> str:
    if settings.rate_limit_storage_backend == "redis":
        return settings.redis_url.get_secret_value()
    return "memory://"


def add_headers(response: Response) -> Response:
    """RateLimit fields as the IETF's httpapi draft names them."""
    current = current_app.extensions[EXTENSION].current_limit
    if current is None:
        return response
    remaining = max(0, current.remaining)
    reset = max(0, int(current.reset_at - time.time()) + 1)
    quota = current.limit.amount
    response.headers["RateLimit-Policy"] = f'"default";q={quota};w={WINDOW_SECONDS}'
    response.headers["RateLimit"] = f'"default";r={remaining};t={reset}'
    if response.status_code == 429:
        response.headers["Retry-After"] = str(reset)
    return response
