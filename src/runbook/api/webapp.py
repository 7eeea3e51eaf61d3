"""The web app's files: `/` and every path that is not the API's answer its index.html."""

from __future__ import annotations

import json
import mimetypes
import secrets
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory

from runbook.api.routing import PUBLIC, Limit, Policy, route

blueprint = Blueprint("webapp", __name__)

STATIC = Path(__file__).parent / "static"
INDEX = "index.html"
PAGES = "pages.json"
"""Which files the pages of the app need, by the first name in their paths; the build writes it."""
START = "runbooks"
"""Where `/` leads."""
NONCE = b"__CSP_NONCE__"
"""What index.html holds where the page wants the nonce of its response."""

_PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Runbook engine</title></head>
<body><h1>Runbook engine</h1>
<p>The web app is not built into this installation. The API is here:
<a href="/docs/explorer.html">explorer</a>, <a href="/docs/openapi.yaml">OpenAPI document</a>.</p>
</body></html>
"""
# The nonce is for the style element that Vuetify makes at run time for its theme.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
)
_WEB = Policy(PUBLIC, Limit.NONE, "The web app", documented=False)


@dataclass(frozen=True, slots=True)
class Packed:
    """A way to compress files ahead of time. The better ones come first."""

    coding: str
    suffix: str


_PACKED = (Packed("br", ".br"), Packed("gzip", ".gz"))


@route(blueprint, "/", policy=_WEB)
@route(blueprint, "/<page:path>", policy=_WEB)
def serve(path: str = "") -> Response:
    if path and path != INDEX and (STATIC / path).is_file():
        return _file(path)
    return _page(path)


def _page(path: str) -> Response:
    """A new nonce each time, so that no page may be kept."""
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
    return Response(page.replace(NONCE, nonce.encode()), 200, headers, mimetype="text/html")


def _preloads(path: str) -> bytes:
    """Links to the scripts of this page: else the app would ask for them once it is there."""
    pages: dict[str, list[str]] = json.loads((STATIC / PAGES).read_bytes())
    files = pages.get(path.partition("/")[0] or START, ())
    links = (f'<link rel="modulepreload" crossorigin href="/{file}">' for file in files)
    return "".join(links).encode()


def _file(path: str) -> Response:
    """A file, as it was compressed ahead of time where the client takes that."""
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
    if path.startswith("assets/"):  # its name holds a digest of its content
        reply.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # An SVG is a page too, if it is opened by itself.
    reply.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return reply


def _packed(path: str) -> Packed | None:
    accepted = request.accept_encodings
    for packed in _PACKED:
        if accepted.quality(packed.coding) > 0 and (STATIC / (path + packed.suffix)).is_file():
            return packed
    return None
