"""What a view knows of its request: the caller, the address, the engine behind it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address, ip_network

from flask import Request, current_app, g, request
from prometheus_client import CollectorRegistry

from runbook.access.authenticators import Authenticators
from runbook.api.listing import Listings
from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.errors import AuthenticationError
from runbook.settings import Settings

CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
EXTENSION = "runbook"


@dataclass(frozen=True, slots=True)
class Application:
    """What one web process works with."""

    settings: Settings
    engine: Engine
    authenticator: Authenticators
    registry: CollectorRegistry
    supervisor_pid: int | None = None
    listings: Listings = field(default_factory=Listings)


def application() -> Application:
    found: Application = current_app.extensions[EXTENSION]
    return found


def engine() -> Engine:
    return application().engine


def principal() -> Principal:
    """The caller. Raises AuthenticationError where there is none."""
    if (error := g.get("auth_error")) is not None:
        raise error
    caller: Principal | None = g.get("principal")
    if caller is None:
        raise AuthenticationError
    return caller


def token_check() -> Callable[[], Principal]:
    """Judges the request's token anew; for streams, which go on when its context is gone.

    What it returns raises AuthenticationError once the token is no longer valid.
    """
    return partial(
        application().authenticator.authenticate, request.headers["Authorization"], g.address
    )


def run_of(run_id: str) -> Run:
    """The run of a URL, if the caller may see it."""
    return engine().runs.get(run_id, principal())


def begin_request() -> None:
    """Give the request its correlation id and, where a token came, its principal."""
    g.correlation_id = correlation_id(request.headers.get("X-Correlation-Id", ""))
    g.address = client_address(request, application().settings.trusted_proxies)
    g.principal = g.auth_error = None
    if "Authorization" in request.headers:
        try:
            g.principal = application().authenticator.authenticate(
                request.headers["Authorization"], g.address
            )
        except AuthenticationError as error:
            g.auth_error = error


def correlation_id(given: str) -> str:
    """The request's own where it is well formed, else a fresh one."""
    return given if CORRELATION_ID.fullmatch(given) else str(uuid.uuid4())


def client_address(incoming: Request, trusted: tuple[str, ...]) -> str:
    """The right-most address that is not a trusted proxy; the socket's peer if none is trusted."""
    address = incoming.remote_addr or ""
    hops = [hop.strip() for hop in incoming.headers.get("X-Forwarded-For", "").split(",")]
    while hops and _is_trusted(address, trusted):
        hop = hops.pop()
        if not _is_address(hop):
            break
        address = hop
    return address


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_trusted(address: str, trusted: tuple[str, ...]) -> bool:
    if not trusted or not _is_address(address):
        return False
    peer = ip_address(address)
    return any(peer in ip_network(network, strict=False) for network in trusted)
