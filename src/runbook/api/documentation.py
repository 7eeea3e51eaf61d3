"""The OpenAPI document, the API explorer and the page of problems."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, current_app, send_file

from runbook import errors
from runbook.api.routing import PUBLIC, Limit, RoutePolicy, route
from runbook.errors import NotFoundError

blueprint = Blueprint("documentation", __name__, url_prefix="/docs")

DOCUMENT = "runbook_openapi"
_EXPLORER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Runbook API</title>
<link rel="stylesheet" href="assets/swagger-ui.css"></head>
<body><div id="explorer"></div>
<script src="assets/swagger-ui-bundle.js"></script>
<script src="explorer.js"></script></body></html>
"""
_START = """SwaggerUIBundle({url: "openapi.yaml", dom_id: "#explorer", validatorUrl: null});
"""
_HIDDEN = RoutePolicy(PUBLIC, Limit.NONE, "", documented=False, any_query=True)
# Swagger UI sets style attributes and uses data: images. Nothing is loaded from other hosts.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; frame-ancestors 'none'"
)


@route(
    blueprint,
    "/openapi.yaml",
    policy=RoutePolicy(
        PUBLIC,
        Limit.NONE,
        "Get this OpenAPI document",
        documented=False,
        any_query=True,
    ),
)
def get_openapi_document() -> Response:
    return Response(_document(), 200, content_type="application/yaml; charset=utf-8")


def _document() -> str:
    """Generated once per process, because anyone may request it without a rate limit."""
    kept = current_app.extensions
    if DOCUMENT not in kept:
        from runbook.api.openapi.document import document_text

        kept[DOCUMENT] = document_text(current_app.url_map, current_app.view_functions)
    text: str = kept[DOCUMENT]
    return text


@route(blueprint, "/explorer.html", policy=_HIDDEN)
def explorer() -> Response:
    return Response(_EXPLORER, 200, {"Content-Security-Policy": _POLICY}, mimetype="text/html")


@route(blueprint, "/explorer.js", policy=_HIDDEN)
def explorer_start() -> Response:
    return Response(_START, 200, mimetype="text/javascript")


@route(blueprint, "/assets/<name>", policy=_HIDDEN)
def explorer_asset(name: str) -> Response:
    if name not in _assets():
        raise NotFoundError("The API explorer has no such file.")
    return send_file(_assets()[name], max_age=86400)


@route(blueprint, "/problems", policy=_HIDDEN)
def problems() -> Response:
    """The page that the `type` of every problem links to."""
    rows = "".join(
        f'<dt id="{code}"><code>{code}</code> ({kind.http_status})</dt><dd>{kind.__doc__}</dd>'
        for code, kind in sorted(errors.errors_by_code().items())
    )
    page = f"<!doctype html><html lang=en><title>Problems</title><h1>Problems</h1><dl>{rows}</dl>"
    return Response(page, 200, mimetype="text/html")


@cache
def _assets() -> Mapping[str, Path]:
    """Swagger UI's files by name, found without importing their package."""
    spec = find_spec("flask_openapi3_swagger")
    places = spec.submodule_search_locations if spec is not None else None
    return {
        file.name: file
        for place in places or ()
        for file in Path(place).rglob("swagger*")
        if file.suffix in (".css", ".js")
    }
