import json
import re
from pathlib import Path

import pytest
from flask import Flask

from runbook.api import webapp
from runbook.api.routing import PageConverter
from runbook.errors import NotFoundError

ROOT = Path(__file__).parents[3]
INDEX = (
    '<!doctype html><head><meta name="csp-nonce" content="__CSP_NONCE__"></head>'
    '<script type="module" nonce="__CSP_NONCE__" src="/assets/app-1a2b.js"></script>'
)
SCRIPT = b"console.log(1)" * 100


@pytest.fixture
def static(tmp_path, monkeypatch):
    monkeypatch.setattr(webapp, "STATIC", tmp_path / "static")
    assets = tmp_path / "static" / "assets"
    assets.mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (assets.parent / "index.html").write_text(INDEX)
    pages = {"runbooks": ["assets/list-1.js"], "runbook": ["assets/one-2.js", "assets/text-3.js"]}
    (assets.parent / "pages.json").write_text(json.dumps(pages))
    (assets.parent / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (assets / "app-1a2b.js").write_bytes(SCRIPT)
    (assets / "app-1a2b.js.gz").write_bytes(b"gzip of it")
    (assets / "app-1a2b.js.br").write_bytes(b"brotli of it")
    (assets / "only.css").write_text("a{}")
    return assets.parent


@pytest.fixture
def client(static):
    app = Flask("app", static_folder=None)
    app.url_map.converters["page"] = PageConverter
    app.register_blueprint(webapp.blueprint)
    app.testing = True
    return app.test_client()


def directives(reply):
    policy = reply.headers["Content-Security-Policy"]
    return dict(part.strip().partition(" ")[::2] for part in policy.split(";"))


PAGES = ["/", "/index.html", "/runs", "/runs/", "/run/1234", "/login", "/runbook/net/Push.md"]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_the_app(client, path):
    reply = client.get(path)

    assert reply.status_code == 200
    assert reply.mimetype == "text/html"
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/health", "/metricz", "/livez/", "/runs/1", "/assets/old-9z.js", "/loginx"],
)
def test_what_is_no_page_is_not_found(client, path):
    """Else a probe of a wrong address would always succeed."""
    with pytest.raises(NotFoundError):
        client.get(path)
    with pytest.raises(NotFoundError):
        client.get(path, headers={"Accept": "application/json, */*"})

    shown = client.get(path, headers={"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"})
    assert (shown.status_code, shown.mimetype) == (404, "text/html")


def test_the_pages_are_those_of_the_router():
    source = (ROOT / "src/web/src/router.ts").read_text()
    paths = re.findall(r"path: '/([^']+)'", source)
    paths += [
        word
        for line in re.findall(r"\.\.\.\[(.+?)\]\.map", source)
        for word in re.findall(r"'/(\w+)'", line)
    ]
    paths = [path for path in paths if not path.startswith(":")]
    assert len(paths) > 8
    for path in paths:
        assert webapp.PAGE.fullmatch(re.sub(r":\w+\+?", "x", path)), path
    named = set(re.findall(r"[a-z]+", webapp.PAGE.pattern))
    assert named == {path.partition("/")[0] for path in paths}


def test_the_page_holds_the_nonce_of_its_policy_which_is_new_each_time(client):
    nonces = set()
    for _ in range(3):
        reply = client.get("/")
        (nonce,) = set(re.findall(r'(?:nonce|content)="([^"]+)"', reply.text))
        assert directives(reply)["style-src"] == f"'self' 'nonce-{nonce}'"
        assert len(nonce) >= 20
        nonces.add(nonce)
    assert len(nonces) == 3


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("/", ["/assets/list-1.js"]),
        ("/runbooks", ["/assets/list-1.js"]),
        ("/runbook/net/Push.md", ["/assets/one-2.js", "/assets/text-3.js"]),
        ("/runbook", ["/assets/one-2.js", "/assets/text-3.js"]),
    ],
)
def test_the_page_names_the_scripts_that_it_will_need(client, path, files):
    head = client.get(path).text.partition("</head>")[0]
    assert re.findall(r'<link rel="modulepreload" crossorigin href="([^"]+)">', head) == files


def test_the_policy_allows_nothing_from_elsewhere_and_nothing_inline(client):
    found = directives(client.get("/"))

    assert found.pop("style-src").startswith("'self' 'nonce-")
    assert found == {
        "default-src": "'none'",
        "script-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "object-src": "'none'",
    }


@pytest.mark.parametrize(
    ("accepted", "coding", "content"),
    [
        ("gzip, deflate, br, zstd", "br", b"brotli of it"),
        ("gzip", "gzip", b"gzip of it"),
        ("br;q=0, gzip", "gzip", b"gzip of it"),
        ("identity", None, SCRIPT),
        (None, None, SCRIPT),
    ],
)
def test_an_asset_comes_as_it_was_compressed(client, accepted, coding, content):
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    with client.get("/assets/app-1a2b.js", headers=headers) as reply:
        assert reply.headers.get("Content-Encoding") == coding
        assert reply.data == content
        assert reply.mimetype == "text/javascript"
        assert reply.headers["Vary"] == "Accept-Encoding"
        assert reply.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_an_asset_that_was_not_compressed(client):
    with client.get("/assets/only.css", headers={"Accept-Encoding": "br, gzip"}) as reply:
        assert reply.data == b"a{}"
        assert "Content-Encoding" not in reply.headers


def test_other_files_are_asked_for_again(client):
    with client.get("/logo.svg") as reply:
        assert reply.mimetype == "image/svg+xml"
        assert "immutable" not in reply.headers["Cache-Control"]
        assert directives(reply)["default-src"] == "'none'"
        etag = reply.headers["ETag"]
    with client.get("/logo.svg", headers={"If-None-Match": etag}) as reply:
        assert reply.status_code == 304


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/assets/../../secret.txt", "/%2e%2e/secret.txt"]
)
def test_no_file_outside_is_served(client, path):
    with client.get(path) as reply:
        assert b"secret" not in reply.data


def test_without_a_build_there_is_a_page_that_leads_to_the_api(client, static):
    (static / "index.html").unlink()

    reply = client.get("/")

    assert "/docs/explorer.html" in reply.text
    assert directives(reply)["script-src"] == "'self'"
