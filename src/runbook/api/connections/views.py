"""Connections and their kinds."""

from __future__ import annotations

from flask import Blueprint, Response, request

from runbook.api import wire
from runbook.api.bodies import read_body
from runbook.api.connections.bodies import ConnectionChangesBody, NewConnectionBody, RetrustBody
from runbook.api.context import engine, principal
from runbook.api.routing import Limit, Parameter, RoutePolicy, route
from runbook.connectors.kinds import KINDS
from runbook.core.connection import Connection
from runbook.core.permissions import Permission
from runbook.engine.connections.connections import Changes, NewConnection
from runbook.resources.connection import (
    check_json,
    connection_json,
    connection_kinds_json,
    retrust_json,
)

blueprint = Blueprint("connections", __name__)


@route(
    blueprint,
    "/api/connection-kinds",
    policy=RoutePolicy(
        Permission.CONNECTION_READ,
        Limit.NORMAL,
        "List the kinds of connections",
        schema="ConnectionKindList",
        description="Each with a JSON Schema of its values, for forms. Secrets are `writeOnly`.",
    ),
)
def list_connection_kinds() -> Response:
    return wire.json_reply(connection_kinds_json(engine().connections.kinds()))


@route(
    blueprint,
    "/api/connections",
    policy=RoutePolicy(
        Permission.CONNECTION_READ,
        Limit.NORMAL,
        "List the connections that you may see, by name",
        parameters=(Parameter("kind", "Filter by kind"),),
        schema="ConnectionList",
    ),
)
def list_connections() -> Response:
    found = engine().connections.list(principal(), request.args.get("kind") or None)
    return wire.json_reply({"connections": [_json(one) for one in found]})


@route(
    blueprint,
    "/api/connections",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.CONNECTION_WRITE,
        Limit.NORMAL,
        "Add a connection",
        body=NewConnectionBody,
        schema="Connection",
        replies={422: "Some values are invalid; `errors` names each field"},
        conflicts=True,
    ),
)
def add_connection() -> Response:
    body = read_body(NewConnectionBody)
    new = NewConnection(
        body.name, body.kind, body.values, body.claims or {}, body.labels or {}, body.description
    )
    return _reply(engine().connections.add(new, principal()))


@route(
    blueprint,
    "/api/connections/<connection>",
    policy=RoutePolicy(
        Permission.CONNECTION_READ, Limit.NORMAL, "Get a connection", schema="Connection"
    ),
)
def get_connection(connection: str) -> Response:
    return _reply(engine().connections.show(connection, principal()))


@route(
    blueprint,
    "/api/connections/<connection>",
    methods=("PATCH",),
    policy=RoutePolicy(
        Permission.CONNECTION_WRITE,
        Limit.NORMAL,
        "Change a connection",
        body=ConnectionChangesBody,
        schema="Connection",
        description="Runs that have not started yet use the new values.",
        replies={422: "Some values are invalid; `errors` names each field"},
        conflicts=True,
    ),
)
def change_connection(connection: str) -> Response:
    body = read_body(ConnectionChangesBody)
    changes = Changes(body.values or {}, body.claims, body.labels, body.description, body.revision)
    return _reply(engine().connections.edit(connection, changes, principal()))


@route(
    blueprint,
    "/api/connections/<connection>",
    methods=("DELETE",),
    policy=RoutePolicy(
        Permission.CONNECTION_WRITE, Limit.NORMAL, "Remove a connection", schema="Message"
    ),
)
def remove_connection(connection: str) -> Response:
    engine().connections.remove(connection, principal())
    return wire.json_reply({"success": True, "message": "The connection was removed"})


@route(
    blueprint,
    "/api/connections/<connection>/check",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.CONNECTION_READ,
        Limit.NORMAL,
        "Check whether a connection works",
        schema="ConnectionCheck",
        description=(
            "Asks the system whether it answers and accepts the credentials, for at most 30 "
            "seconds. The result is kept with the connection. 200 whatever the result: see `ok`."
        ),
    ),
)
def check_connection(connection: str) -> Response:
    return wire.json_reply(check_json(engine().connections.check(connection, principal())))


@route(
    blueprint,
    "/api/connections/<connection>/retrust",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.CONNECTION_WRITE,
        Limit.NORMAL,
        "Trust the host keys that SSH servers show now",
        body=RetrustBody,
        schema="Retrust",
        description=(
            "Connects to the SSH servers of the connection, without logging in at one whose key "
            "has changed. 200 whatever the result: see `ok`."
        ),
    ),
)
def retrust_connection(connection: str) -> Response:
    body = read_body(RetrustBody)
    result = engine().connections.retrust(
        connection, principal(), host=body.host, fingerprint=body.fingerprint
    )
    return wire.json_reply(retrust_json(result))


def _json(one: Connection) -> object:
    usable = engine().connections.usable(one, principal())
    return connection_json(one, KINDS.get(one.kind), usable=usable)


def _reply(one: Connection) -> Response:
    return wire.json_reply(_json(one))
