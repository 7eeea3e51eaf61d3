"""Signing in: at an identity provider, again after the end of a token, in two tabs."""

import html
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from playwright.sync_api import expect

PAGE = """<!doctype html><html lang="en"><head><title>Provider</title>
<link rel="icon" href="data:,"></head><body><h1>Provider</h1>{links}</body></html>"""


class Provider:
    """An identity provider on the loopback: a page with a link for each answer it may give."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                provider.asked.append(query)
                body = provider.page(query).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/login"

    def page(self, query):
        links = ""
        for name, answer in self.answers.items():
            fragment = urlencode({"state": query.get("state", "")} | answer())
            to = html.escape(f"{query.get('return_uri', '')}#{fragment}")
            links += f'<p><a href="{to}">{name}</a></p>'
        return PAGE.format(links=links)

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def provider():
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def strict(integration, tmp_path_factory, provider):
    """A server that makes no tokens itself and sends people to the provider."""
    folder = tmp_path_factory.mktemp("strict")
    settings = {"ENABLE_LOGIN": "false", "IDP_LOGIN_URI": provider.url}
    with integration.running(folder, **settings) as server:
        server.add("Echo", 'print "it is $TEXT"', inputs="TEXT: Some text.")
        yield server


@pytest.fixture
def mint(server):
    """A token of so many seconds, as the server itself would make it."""

    def call(subject="ann", seconds=7200):
        claims = jwt.decode(server.token(subject), options={"verify_signature": False})
        claims["exp"] = int(time.time()) + seconds
        return jwt.encode(claims, server.environment["JWT_SECRET"], algorithm="HS256")

    return call


@pytest.fixture(autouse=True)
def answers(provider, mint, guard):
    provider.answers = {
        "ann": lambda: {"access_token": mint("ann")},
        "ann for a while": lambda: {"access_token": mint("ann", 3600)},
        "forged": lambda: {"access_token": mint("mallory"), "state": "of-someone-else"},
        "refused": lambda: {"error": "access_denied", "error_description": "Not in the group"},
        "broken": lambda: {"access_token": "no.token.atall"},
    }
    guard.origins.append(provider.url.removesuffix("/login"))
    return provider.answers


def kept(page):
    return page.evaluate("sessionStorage.getItem('runbook.session')")


def test_there_and_back(strict, open_page, provider):
    page = open_page("/runs?status=failed", at=strict)
    page.get_by_role("link", name="ann", exact=True).click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    expect(page).to_have_url(f"{strict.url}/runs?status=failed")
    expect(page.get_by_role("button", name="Account menu of ann")).to_be_visible()
    assert provider.asked[-1]["return_uri"] == f"{strict.url}/login"
    assert len(provider.asked[-1]["state"]) >= 20
    # No page of the history holds the token.
    page.go_back()
    assert "access_token" not in page.url
    page.go_forward()
    expect(page.get_by_role("button", name="Account menu of ann")).to_be_visible()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("forged", "did not start that sign-in"),
        ("refused", "Not in the group"),
        ("broken", "sent an invalid token"),
    ],
)
def test_a_wrong_answer_is_refused(strict, open_page, check_accessibility, answer, text):
    page = open_page("/runs", at=strict)
    page.get_by_role("link", name=answer, exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(text)
    assert kept(page) is None
    assert "access_token" not in page.url
    check_accessibility(page)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="ann", exact=True).click()
    expect(page.get_by_role("button", name="Account menu of ann")).to_be_visible()


def test_an_answer_works_once(strict, open_page):
    page = open_page("/runs", at=strict)
    link = page.get_by_role("link", name="ann", exact=True)
    address = link.get_attribute("href")
    link.click()
    expect(page.get_by_role("button", name="Account menu of ann")).to_be_visible()
    page.evaluate("sessionStorage.removeItem('runbook.session')")
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_role("alert")).to_contain_text("did not start that sign-in")
    assert kept(page) is None


def test_the_end_of_a_token_loses_nothing(strict, open_page, guard):
    # The stream of changes is under way when the token ends.
    guard.allow(f"401 (UNAUTHORIZED) ({strict.url}/api/runs/changes)")
    page = open_page("/execute/Echo.md", at=strict)
    page.clock.install()
    page.get_by_role("link", name="ann for a while", exact=True).click()
    page.get_by_role("textbox", name="TEXT").fill("what was typed")
    page.clock.fast_forward("58:30")
    expect(page.get_by_text("Your session expires in")).to_be_visible()
    page.clock.fast_forward("02:00")
    expect(page.get_by_text("Your session has expired")).to_be_visible()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="ann", exact=True).click()
    expect(page.get_by_role("textbox", name="TEXT")).to_have_value("what was typed")
    expect(page).to_have_url(f"{strict.url}/execute/Echo.md")


def test_a_target_of_another_site_is_not_followed(open_page, sign_in, server):
    page = sign_in(open_page("/login?to=//example.invalid/"))
    expect(page).to_have_url(f"{server.url}/runbooks")


def test_two_tabs_are_two_people(open_page, sign_in, guard):
    first = sign_in(open_page("/runbooks"), "sre")
    second = first.context.new_page()
    guard.watch(second)
    second.goto("/runs")
    sign_in(second, "viewer")
    expect(second.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    first.reload()
    expect(first.get_by_role("button", name="Account menu of dev-sre")).to_be_visible()
    second.get_by_role("button", name="Account menu of dev-viewer").click()
    second.get_by_role("button", name="Sign out").click()
    expect(second.get_by_text("Development login")).to_be_visible()
    first.get_by_role("link", name="Runs", exact=True).click()
    expect(first.get_by_role("button", name="Account menu of dev-sre")).to_be_visible()
    # What is open after signing out shows nothing when someone goes back.
    second.go_back()
    expect(second.get_by_text("Development login")).to_be_visible()


def test_back_and_forward(open_page, sign_in):
    page = sign_in(open_page("/runbooks?q=simple"))
    page.get_by_role("link", name="SimpleRunbook", exact=True).click()
    expect(page.get_by_role("heading", name="SimpleRunbook", level=1)).to_be_visible()
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="SimpleRunbook", level=1)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("simple")
    page.go_forward()
    expect(page.get_by_role("heading", name="SimpleRunbook", level=1)).to_be_visible()
