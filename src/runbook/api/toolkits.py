"""Toolkits: list, install, enable, roll back and remove."""

from __future__ import annotations

import time
from tempfile import SpooledTemporaryFile

from flask import Blueprint, Response, request

from runbook.api import wire
from runbook.api.bodies import SwitchBody, read_body
from runbook.api.context import application, principal
from runbook.api.routing import Limit, RoutePolicy, route
from runbook.core.permissions import Permission
from runbook.core.toolkit import InstalledToolkit
from runbook.errors import RequestError, UnsupportedMediaTypeError
from runbook.resources.toolkit import InstalledToolkitJson, ToolkitReadmeJson
from runbook.toolkits.listing import list_json, shown_json
from runbook.toolkits.toolkits import Toolkits

blueprint = Blueprint("toolkits", __name__)

ARCHIVE_TYPE = "application/octet-stream"
"""Generators of clients know this one; people send application/zip."""
_ARCHIVE_TYPES = frozenset({ARCHIVE_TYPE, "application/zip"})
MOST_ARCHIVE_BYTES = 50 * 1024 * 1024
_IN_MEMORY = 1024 * 1024


def _toolkits() -> Toolkits:
    return application().toolkits


@route(
    blueprint,
    "/api/toolkits",
    policy=RoutePolicy(
        Permission.TOOLKIT_READ,
        Limit.NORMAL,
        "List toolkits",
        schema="ToolkitList",
        description="Installed toolkits, and bundled ones that can be installed.",
    ),
)
def list_toolkits() -> Response:
    return wire.json_reply(list_json(_toolkits(), principal()))


@route(
    blueprint,
    "/api/toolkit-updates",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.TOOLKIT_WRITE,
        Limit.NORMAL,
        "Look for updates in the catalogue, and list toolkits",
        schema="ToolkitList",
        description="Needs TOOLKIT_CATALOGUE. Installs nothing.",
    ),
)
def check_for_updates() -> Response:
    _toolkits().check_for_updates(principal())
    return wire.json_reply(list_json(_toolkits(), principal()))


@route(
    blueprint,
    "/api/toolkits/<slug>",
    policy=RoutePolicy(
        Permission.TOOLKIT_READ,
        Limit.NORMAL,
        "Get a toolkit with its README and its runbooks",
        schema="ToolkitDetails",
        description="Installed or bundled. Its runbooks have their last runs.",
    ),
)
def get_toolkit(slug: str) -> Response:
    return wire.json_reply(shown_json(_toolkits().show(slug, principal())))


@route(
    blueprint,
    "/api/toolkits",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.TOOLKIT_WRITE,
        Limit.NORMAL,
        "Install or upgrade a toolkit from an archive",
        schema="InstalledToolkit",
        description="The body is a .zip archive of at most 50 MiB. `Content-Type` may also be "
        "application/zip.",
        media_type=ARCHIVE_TYPE,
        conflicts=True,
    ),
)
def upload_toolkit() -> Response:
    if request.mimetype not in _ARCHIVE_TYPES:
        raise UnsupportedMediaTypeError(
            "The body must be a .zip archive. Send Content-Type: application/zip"
        )
    request.max_content_length = MOST_ARCHIVE_BYTES
    with SpooledTemporaryFile(_IN_MEMORY) as archive:
        while data := request.stream.read(64 * 1024):
            archive.write(data)
            time.sleep(0)  # a fast client would keep all other requests of this process waiting
        if not archive.tell():
            raise RequestError("The body is empty: it must be a .zip archive")
        archive.seek(0)
        return _installed(_toolkits().install_archive(archive, principal()))


@route(
    blueprint,
    "/api/toolkits/<slug>/install",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.TOOLKIT_WRITE,
        Limit.NORMAL,
        "Install or upgrade a bundled toolkit",
        schema="InstalledToolkit",
        conflicts=True,
    ),
)
def install_toolkit(slug: str) -> Response:
    return _installed(_toolkits().install_bundled(slug, principal()))


@route(
    blueprint,
    "/api/toolkits/<slug>/update",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.TOOLKIT_WRITE,
        Limit.NORMAL,
        "Upgrade a toolkit to the version offered as its `update`",
        schema="InstalledToolkit",
        conflicts=True,
    ),
)
def update_toolkit(slug: str) -> Response:
    return _installed(_toolkits().update(slug, principal()))


@route(
    blueprint,
    "/api/toolkits/<slug>",
    methods=("PATCH",),
    policy=RoutePolicy(
        Permission.TOOLKIT_WRITE,
        Limit.NORMAL,
        "Enable or disable a toolkit",
        body=SwitchBody,
        schema="InstalledToolkit",
        conflicts=True,
    ),
)
def change_toolkit(slug: str) -> Response:
    enabled = read_body(SwitchBody).enabled
    if enabled is None:
        raise RequestError("The body has no member enabled: set it to true or false")
    change = _toolkits().enable if enabled else _toolkits().disable
    return _installed(change(slug, principal()))


@route(
    blueprint,
    "/api/toolkits/<slug>/readme",
    policy=RoutePolicy(
        Permission.TOOLKIT_READ, Limit.NORMAL, "Get a toolkit's README", schema="ToolkitReadme"
    ),
)
def get_toolkit_readme(slug: str) -> Response:
    body: ToolkitReadmeJson = {"text": _toolkits().readme(slug, principal())}
    return wire.json_reply(body)


@route(
    blueprint,
    "/api/toolkits/<slug>/rollback",
    methods=("POST",),
    policy=RoutePolicy(
        Permission.TOOLKIT_WRITE,
        Limit.NORMAL,
        "Bring the previous version of a toolkit back",
        schema="InstalledToolkit",
        conflicts=True,
    ),
)
def roll_back_toolkit(slug: str) -> Response:
    return _installed(_toolkits().roll_back(slug, principal()))


@route(
    blueprint,
    "/api/toolkits/<slug>",
    methods=("DELETE",),
    policy=RoutePolicy(
        Permission.TOOLKIT_WRITE,
        Limit.NORMAL,
        "Remove a toolkit",
        schema="Message",
        conflicts=True,
    ),
)
def remove_toolkit(slug: str) -> Response:
    _toolkits().remove(slug, principal())
    return wire.json_reply({"success": True, "message": "The toolkit was removed"})


def _installed(made: InstalledToolkit) -> Response:
    body: InstalledToolkitJson = {
        "slug": made.slug,
        "version": made.version,
        "enabled": made.enabled,
    }
    return wire.json_reply(body)
