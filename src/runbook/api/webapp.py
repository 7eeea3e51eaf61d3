"""The web app's files: `/` and every path that is not the API's answer its index.html."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from runbook.api.routing import Access, Limit, Policy, route

blueprint = Blueprint("webapp", __name__)

STATIC = Path(__file__).parent / "static"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Runbook engine</title></head>
<body><h1>Runbook engine</h1>
<p>The web app is not built into this installation. The API is here:
<a href="/docs/explorer.html">explorer</a>, <a href="/docs/openapi.yaml">OpenAPI document</a>.</p>
</body></html>
"""
_POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
_WEB = Policy(Access.PUBLIC, Limit.NONE, "The web app", documented=False)


@route(blueprint, "/", policy=_WEB)
@route(blueprint, "/<page:path>", policy=_WEB)
def serve(path: str = "") -> Response:
    if path and (STATIC / path).is_file():
        return send_from_directory(STATIC, path)
    if (STATIC / "index.html").is_file():
        reply = send_from_directory(STATIC, "index.html", max_age=0)
    else:
        reply = Response(_PAGE, 200, mimetype="text/html")
    reply.headers["Content-Security-Policy"] = _POLICY
    return reply
