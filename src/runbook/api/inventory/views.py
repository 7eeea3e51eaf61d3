"""Devices, and tables of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, request

from runbook.api import wire
from runbook.api.bodies import read_body
from runbook.api.context import engine, principal
from runbook.api.inventory.bodies import DeviceBody, ImportBody
from runbook.api.parameters import BOOLEAN, PAGE, PAGE_TEXT, TEXT, one_of, page_size, switch
from runbook.api.routing import Limit, Parameter, RoutePolicy, route
from runbook.core.inventory.device import DeviceFilter, DeviceSort
from runbook.core.inventory.table import write_table
from runbook.core.inventory.views import NewFields, SeenDevice, Wanted
from runbook.core.permissions import Permission
from runbook.engine.inventory.runbooks import runbooks_for
from runbook.engine.inventory.tables import import_table
from runbook.errors import RequestError
from runbook.resources.device import (
    device_filters_json,
    device_json,
    device_page_json,
    device_runbooks_json,
    imported_json,
)

blueprint = Blueprint("inventory", __name__)


class Form(StrEnum):
    CSV = "csv"
    JSON = "json"


_FORM: dict[str, object] = {"type": "string", "enum": [form.value for form in Form]}
_SORT: dict[str, object] = {"type": "string", "enum": [sort.value for sort in DeviceSort]}
_FILTERS = (
    Parameter("q", "Filter by text in name or address"),
    Parameter("tag", "Filter by tag"),
    Parameter("group", "Filter by group"),
    Parameter("site", "Filter by site"),
    Parameter("vendor", "Filter by vendor"),
    Parameter("connection", "Filter by connection"),
    Parameter("kind", "Filter by kind of connection"),
    Parameter("usable", "Only devices that you may use in runs", schema=BOOLEAN),
)
_NONE_YET = 0
"""The revision of a device that must not exist."""
_INVALID = {422: "Some fields are invalid; `errors` names each"}


@route(
    blueprint,
    "/api/inventory",
    policy=RoutePolicy(
        Permission.INVENTORY_READ,
        Limit.NORMAL,
        "List devices",
        parameters=(
            *_FILTERS,
            Parameter(
                "sort",
                "`name`, the default, or a time, the longest ago first; with `-` the latest first",
                schema=_SORT,
            ),
            Parameter("cursor", "`next_cursor` of the previous page", schema=TEXT),
            Parameter("limit", PAGE_TEXT, schema=PAGE),
        ),
        schema="DevicePage",
        description="`next_cursor` and the Link header lead to the next page.",
        headers=("Link",),
    ),
)
def list_devices() -> Response:
    cursor = request.args.get("cursor")
    if cursor == "":
        raise RequestError("Invalid cursor: use next_cursor of an earlier page.")
    sort = one_of("sort", DeviceSort) or DeviceSort.NAME
    wanted = replace(_wanted(), sort=sort)
    page = engine().inventory.list(principal(), wanted, cursor=cursor, limit=page_size())
    reply = wire.json_reply(device_page_json(page))
    if page.next_cursor:
        query = request.args.to_dict(flat=False) | {"cursor": [page.next_cursor]}
        reply.headers["Link"] = f'<{request.path}?{urlencode(query, doseq=True)}>; rel="next"'
    return reply


@route(
    blueprint,
    "/api/inventory-filters",
    policy=RoutePolicy(
        Permission.INVENTORY_READ,
        Limit.NORMAL,
        "List what devices can be filtered by",
        schema="DeviceFilters",
        description="Of each, the 200 most frequent values, and how many devices have them.",
    ),
)
def list_device_filters() -> Response:
    return wire.json_reply(device_filters_json(engine().inventory.counts(principal())))


@route(
    blueprint,
    "/api/inventory-export",
    policy=RoutePolicy(
        Permission.INVENTORY_READ,
        Limit.NORMAL,
        "Export devices",
        parameters=(*_FILTERS, Parameter("format", "`csv` or `json`, the default", schema=_FORM)),
        media=("application/json", "text/csv"),
        schema="DeviceExport",
        description="The CSV can be imported again. It has no facts.",
    ),
)
def export_devices() -> Response:
    form = one_of("format", Form) or Form.JSON
    found = engine().inventory.export(principal(), _wanted())
    if form is Form.CSV:
        lines = write_table(seen.device for seen in found)
        reply = Response(lines, mimetype="text/csv")
        reply.headers["Content-Disposition"] = 'attachment; filename="inventory.csv"'
        return reply
    return Response(_exported(found), mimetype="application/json")


def _exported(found: Iterator[SeenDevice]) -> Iterator[bytes]:
    yield b'{"devices":['
    for number, seen in enumerate(found):
        yield (b"," if number else b"") + orjson.dumps(device_json(seen))
    yield b"]}"


@route(
    blueprint,
    "/api/inventory-import",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.INVENTORY_WRITE,
        Limit.NORMAL,
        "Import devices from CSV",
        body=ImportBody,
        schema="ImportedDevices",
        description=(
            "Adds and changes devices by name. If any row is invalid, nothing is imported: "
            "`errors` has the `line` and the `column` of each."
        ),
        replies={422: "Some rows are invalid; nothing was imported"},
    ),
)
def import_devices() -> Response:
    body = read_body(ImportBody)
    done = import_table(engine().inventory, body.csv, principal(), dry_run=body.dry_run)
    return wire.json_reply(imported_json(done))


@route(
    blueprint,
    "/api/inventory/<device>",
    policy=RoutePolicy(Permission.INVENTORY_READ, Limit.NORMAL, "Get a device", schema="Device"),
)
def get_device(device: str) -> Response:
    return _reply(engine().inventory.show(device, principal()))


@route(
    blueprint,
    "/api/inventory/<device>/runbooks",
    policy=RoutePolicy(
        Permission.INVENTORY_READ,
        Limit.NORMAL,
        "List the runbooks that you can execute for a device",
        schema="DeviceRunbookList",
    ),
)
def list_device_runbooks(device: str) -> Response:
    seen = engine().inventory.show(device, principal())
    found = runbooks_for(seen, engine().runbooks.listing(principal()))
    return wire.json_reply(device_runbooks_json(found))


@route(
    blueprint,
    "/api/inventory/<device>",
    methods=("PUT",),
    policy=RoutePolicy(
        Permission.INVENTORY_WRITE,
        Limit.NORMAL,
        "Add or replace a device",
        body=DeviceBody,
        schema="Device",
        description="What is left out becomes empty, except for times and facts, which stay.",
        replies=_INVALID,
        conflicts=True,
    ),
)
def put_device(device: str) -> Response:
    body = read_body(DeviceBody)
    new = NewFields(device, body.fields())
    is_new = True if body.revision == _NONE_YET else None
    revision = None if is_new else body.revision
    done = engine().inventory.put(new, principal(), revision=revision, whole=True, add=is_new)
    return _reply(done)


@route(
    blueprint,
    "/api/inventory/<device>",
    methods=("PATCH",),
    policy=RoutePolicy(
        Permission.INVENTORY_WRITE,
        Limit.NORMAL,
        "Change a device",
        body=DeviceBody,
        schema="Device",
        description="What is left out stays as it is; null empties a field.",
        replies=_INVALID,
        conflicts=True,
    ),
)
def change_device(device: str) -> Response:
    body = read_body(DeviceBody)
    new = NewFields(device, body.fields())
    return _reply(engine().inventory.put(new, principal(), revision=body.revision, add=False))


@route(
    blueprint,
    "/api/inventory/<device>",
    methods=("DELETE",),
    policy=RoutePolicy(
        Permission.INVENTORY_WRITE,
        Limit.NORMAL,
        "Remove a device",
        schema="Message",
        description="Its backups stay. Only for those who may use its connection, if it has one.",
        replies={422: "The caller may not use the device's connection"},
    ),
)
def remove_device(device: str) -> Response:
    engine().inventory.remove(device, principal())
    return wire.json_reply({"success": True, "message": "The device was removed"})


def _wanted() -> Wanted:
    given = request.args.get
    wanted = DeviceFilter(
        text=given("q") or "",
        tag=given("tag") or None,
        group=given("group") or None,
        site=given("site") or None,
        vendor=given("vendor") or None,
        connection=given("connection") or None,
    )
    return Wanted(wanted, given("kind") or None, switch("usable") or False)


def _reply(seen: SeenDevice) -> Response:
    return wire.json_reply(device_json(seen))
