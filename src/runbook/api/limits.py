"""Rate limits per principal, or per address without a token: Flask-Limiter, memory or Redis."""

from __future__ import annotations

import time
from typing import Any

from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter
from limits.errors import StorageError

from runbook.api.routing import Limit, policy_of
from runbook.quick_dataclass import dataclass
from runbook.settings import Settings

RUN_TOKEN_PER_MINUTE = 6000
WINDOW_SECONDS = 60
REDIS_SECONDS = 1.0
EXTENSION = "runbook_limits"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """A caller's limits per minute: one for executions, one for all other requests.

    Requests count before the token is verified, so that guessing tokens is limited too.
    """

    limiter: Limiter
    settings: Settings


def install_limits(app: Flask, settings: Settings) -> None:
    """Limit every view according to its policy."""
    if not settings.rate_limit_enabled:
        return
    limiter = Limiter(
        counted_as,
        application_limits=[_amount],
        application_limits_exempt_when=lambda: _limit() is Limit.NONE,
        storage_uri=_storage(settings),
        storage_options=_storage_options(settings),
        in_memory_fallback_enabled=True,
        # If Redis stops during several requests, the first one switches to memory. The others
        # pass rather than fail.
        swallow_errors=True,
        headers_enabled=False,
    )
    app.extensions[EXTENSION] = RateLimits(limiter, settings)
    limiter.init_app(app)
    app.after_request(add_headers)


def counted_as() -> str:
    """Count scripts by run, other callers by subject, and requests without a token by address."""
    caller = g.get("principal")
    if caller is None:
        who = f"address:{g.get('address', '')}"
    else:
        who = f"run:{caller.run_id}" if caller.run_id else f"subject:{caller.subject}"
    return f"{_limit()}:{who}"


def _limit() -> Limit:
    policy = policy_of(current_app.view_functions.get(request.endpoint or ""))
    return Limit.NORMAL if policy is None else policy.limit


def _amount() -> str:
    settings: Settings = current_app.extensions[EXTENSION].settings
    caller = g.get("principal")
    if caller is not None and caller.run_id is not None:
        amount = RUN_TOKEN_PER_MINUTE
    elif _limit() is Limit.EXECUTE:
        amount = settings.rate_limit_execute_per_minute
    else:
        amount = settings.rate_limit_per_minute
    return f"{amount} per minute"


def _storage(settings: Settings) -> str:
    if settings.rate_limit_storage_backend == "redis":
        return settings.redis_url.get_secret_value()
    return "memory://"


def _storage_options(settings: Settings) -> dict[str, Any]:
    """Timeouts, so that an unresponsive Redis delays a request by two seconds, not minutes."""
    if settings.rate_limit_storage_backend != "redis":
        return {}
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        # Retry once, immediately: Redis may have closed an idle connection.
        "retry": Retry(NoBackoff(), 1),
        "wrap_exceptions": True,
        "socket_timeout": REDIS_SECONDS,
        "socket_connect_timeout": REDIS_SECONDS,
    }


def add_headers(response: Response) -> Response:
    """Add the RateLimit headers of the IETF httpapi draft."""
    current = current_app.extensions[EXTENSION].limiter.current_limit
    if current is None:
        return response
    try:
        remaining = max(0, current.remaining)
        reset = max(0, int(current.reset_at - time.time()) + 1)
    except StorageError:  # Redis stopped after it counted this request
        remaining, reset = 0, WINDOW_SECONDS
    quota = current.limit.amount
    name = _limit().value  # each limit is a separate policy
    response.headers["RateLimit-Policy"] = f'"{name}";q={quota};w={WINDOW_SECONDS}'
    response.headers["RateLimit"] = f'"{name}";r={remaining};t={reset}'
    if response.status_code == 429:
        response.headers["Retry-After"] = str(reset)
    return response
