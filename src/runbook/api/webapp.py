"""Serves the web app: its files, and index.html for its pages."""

from __future__ import annotations

import json
import mimetypes
import re
import secrets
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

from runbook.api import accept
from runbook.api.routing import PUBLIC, Limit, RoutePolicy, route
from runbook.errors import NotFoundError
from runbook.quick_dataclass import dataclass

blueprint = Blueprint("webapp", __name__)

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
PAGES = "pages.json"
"""Built list of the files that each page needs, by the first segment of its path."""
PAGE = re.compile(
    r"(?:login|runbooks|runs|toolkits|admin)/?"
    r"|(?:runbook|execute|run|compare|connection|connections|device|inventory)(?:/.*)?"
)
"""The pages of src/web/src/router.ts."""
START = "runbooks"
"""The page at `/`."""
NONCE = b"__CSP_NONCE__"
"""Placeholder in index.html for the nonce of the response."""

_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Runbook engine</title></head>
<body><h1>Runbook engine</h1>
<p>This installation doesn't include the web app. You can use the API:
<a href="/docs/explorer.html">explorer</a>, <a href="/docs/openapi.yaml">OpenAPI document</a>.</p>
</body></html>
"""
# The nonce is for the style element that Vuetify creates at run time for its theme.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
_WEB = RoutePolicy(PUBLIC, Limit.NONE, "The web app", documented=False, any_query=True)


@dataclass(frozen=True, slots=True)
class Packed:
    """A compression format that the build uses."""

    coding: str
    suffix: str


_PACKED = (Packed("br", ".br"), Packed("gzip", ".gz"))


@route(blueprint, "/", policy=_WEB)
@route(blueprint, "/<page:path>", policy=_WEB)
def serve(path: str = "") -> Response:
    if path and path != INDEX and (STATIC / path).is_file():
        return _file(path)
    if path in ("", INDEX) or PAGE.fullmatch(path):
        return _page(path)
    if accept.prefers_page():
        return _page(path, 404)  # the app says that there is no such page
    raise NotFoundError("There is no such page.")  # a probe of /healthz must not succeed


def _page(path: str, status: int = 200) -> Response:
    """index.html with a new nonce. It must not be cached."""
    try:
        page = (STATIC / INDEX).read_bytes()
        page = page.replace(b"</head>", _preloads(path) + b"</head>", 1)
    except FileNotFoundError:
        page = _PAGE
    nonce = secrets.token_urlsafe(16)
    headers = {
        "Content-Security-Policy": _POLICY.format(nonce=nonce),
        "Cache-Control": "no-store",
    }
    return Response(page.replace(NONCE, nonce.encode()), status, headers, mimetype="text/html")


def _preloads(path: str) -> bytes:
    """Preload links for the page's scripts, so the browser loads them before the app starts."""
    pages: dict[str, list[str]] = json.loads((STATIC / PAGES).read_bytes())
    files = pages.get(path.partition("/")[0] or START, ())
    links = (f'<link rel="modulepreload" crossorigin href="/{file}">' for file in files)
    return "".join(links).encode()


def _file(path: str) -> Response:
    """A file, compressed if the client accepts it."""
    packed = _packed(path)
    reply = send_from_directory(
        STATIC,
        path + packed.suffix if packed else path,
        mimetype=mimetypes.guess_type(path)[0] or "application/octet-stream",
        conditional=True,
    )
    if packed:
        reply.headers["Content-Encoding"] = packed.coding
    reply.vary.add("Accept-Encoding")
    if path.startswith("assets/"):  # its name contains a digest of its content
        reply.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # An SVG opened directly is a page too.
    reply.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return reply


def _packed(path: str) -> Packed | None:
    accepted = request.accept_encodings
    for packed in _PACKED:
        if accepted.quality(packed.coding) > 0 and (STATIC / (path + packed.suffix)).is_file():
            return packed
    return None
