"""Sign-in, configuration and shutdown."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime

from flask import Blueprint, Response, g, redirect, request

from runbook import log
from runbook.access.tokens import CallerTokens, dev_login, standard_claims
from runbook.api import wire
from runbook.api.bodies import LoginBody, read_body
from runbook.api.context import application, engine, principal
from runbook.api.routing import PUBLIC, Limit, RoutePolicy, route
from runbook.bootstrap import config_json
from runbook.core.claims import roles_of
from runbook.core.permissions import Permission
from runbook.errors import NotFoundError
from runbook.resources.server import ConfigJson, LoginJson, TokenInfoJson

blueprint = Blueprint("session", __name__)


@route(
    blueprint,
    "/dev-login",
    policy=RoutePolicy(
        PUBLIC,
        Limit.NORMAL,
        "Issue a development token; 404 unless ENABLE_LOGIN is on",
        description="For development: anyone gets any role.",
        body=LoginBody,
        schema="Login",
    ),
    methods=("POST",),
)
def log_in() -> Response:
    if not application().settings.enable_login:
        raise NotFoundError("dev-login is disabled. To enable it, set ENABLE_LOGIN=true.")
    if (caller := g.get("principal")) is not None:
        engine().authorizer.require(caller, Permission.TOKEN_ISSUE)
    body = read_body(LoginBody)
    minted = dev_login(CallerTokens(application().settings), body.subject, body.roles)
    expires = datetime.fromtimestamp(minted.expires_at, tz=UTC).isoformat().replace("+00:00", "Z")
    log.event("auth.dev_login", subject=body.subject, roles=body.roles)
    reply: LoginJson = {
        "access_token": minted.token,
        "token_type": "bearer",
        "expires_at": expires,
        "subject": body.subject,
        "roles": body.roles,
    }
    return wire.json_reply(reply, Cache_Control="no-store")


@route(
    blueprint,
    "/api/config",
    policy=RoutePolicy(
        Permission.CONFIG_READ,
        Limit.NORMAL,
        "Get settings with their sources, and your token's claims",
        schema="Config",
    ),
)
def get_config() -> Response:
    caller = principal()
    token: TokenInfoJson = {
        "user_id": caller.subject,
        "roles": list(roles_of(caller.claims)),
        "permissions": [it for it in Permission if caller.grants.allow(it)],
        "remote_ip": caller.address,
        "claims": standard_claims(request.headers["Authorization"]) | dict(caller.claims),
    }
    body: ConfigJson = {"config_items": config_json(application().settings), "token": token}
    return wire.json_reply(body)


@route(
    blueprint,
    "/api/shutdown",
    policy=RoutePolicy(
        Permission.SERVER_SHUTDOWN,
        Limit.NORMAL,
        "Shut down the server gracefully",
        description="Running scripts get time to finish: see DRAIN_SECONDS.",
        schema="Message",
        tag="server",
    ),
    methods=("POST",),
)
def shut_down() -> Response:
    engine().record_shutdown(principal())
    log.event("server.shutdown_requested", by=principal().subject)
    reply = wire.json_reply({"success": True, "message": "The server is shutting down"})
    supervisor = application().supervisor_pid or os.getppid()
    # After the response is sent, because the signal ends this process too.
    reply.call_on_close(lambda: os.kill(supervisor, signal.SIGTERM))
    return reply


@route(
    blueprint,
    "/auth/login",
    policy=RoutePolicy(
        PUBLIC,
        Limit.NORMAL,
        "Redirect to the identity provider",
        documented=False,
        any_query=True,
    ),
)
def redirect_to_provider() -> Response:
    target = application().settings.idp_login_uri
    query = request.query_string.decode("latin-1")
    if query:
        target += ("&" if "?" in target else "?") + query
    found = redirect(target, 302)
    assert isinstance(found, Response)  # noqa: S101 - werkzeug's type is wider
    return found
