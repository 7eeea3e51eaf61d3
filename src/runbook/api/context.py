"""The context of a request: the caller, the address and the engine."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import field
from functools import partial
from ipaddress import ip_address, ip_network

from flask import Request, current_app, g, request
from prometheus_client import CollectorRegistry

from runbook import log
from runbook.access.authenticators import Authenticators
from runbook.api.listing import Listings
from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.errors import AuthenticationError
from runbook.quick_dataclass import dataclass
from runbook.settings import Settings
from runbook.toolkits.toolkits import Toolkits

CORRELATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
EXTENSION = "runbook"


@dataclass(frozen=True, slots=True)
class Application:
    """The objects that a web process shares among requests."""

    settings: Settings
    engine: Engine
    authenticator: Authenticators
    toolkits: Toolkits
    registry: CollectorRegistry
    supervisor_pid: int | None = None
    listings: Listings = field(default_factory=Listings)


def application() -> Application:
    found: Application = current_app.extensions[EXTENSION]
    return found


def engine() -> Engine:
    return application().engine


def principal() -> Principal:
    """The caller. Raises AuthenticationError if there is none."""
    if (error := g.get("auth_error")) is not None:
        raise error
    caller: Principal | None = g.get("principal")
    if caller is None:
        raise AuthenticationError
    return caller


def token_check() -> Callable[[], Principal]:
    """A function that verifies the request's token again, for streams that outlive the context.

    The function raises AuthenticationError once the token is no longer valid.
    """
    return partial(
        application().authenticator.authenticate, request.headers["Authorization"], g.address
    )


def run_of(run_id: str) -> Run:
    """The run with this ID. Raises NotFoundError if the caller may not see it."""
    return engine().runs.get(run_id, principal())


def begin_request() -> None:
    """Set the request's correlation ID and, if it has a token, its principal."""
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
            log.warning(
                "auth.refused",
                **error.details,
                detail=error.message,
                path=request.path,
                address=g.address,
                correlation_id=g.correlation_id,
            )


def correlation_id(given: str) -> str:
    """The given correlation ID if it is well formed, else a new one."""
    return given if CORRELATION_ID.fullmatch(given) else str(uuid.uuid4())


def client_address(incoming: Request, trusted: tuple[str, ...]) -> str:
    """The rightmost address that is not a trusted proxy; the peer's if it is not trusted."""
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
