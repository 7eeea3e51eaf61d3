"""The web app in a real browser over a real server.

Chromium comes from the system: `CHROMIUM`, else chromium-headless-shell, which takes a third less
CPU time, else chromium. Pictures go to `E2E_PICTURES`, else to a folder of the test run.
"""

import importlib.util
import inspect
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src/runbook/api/static"
CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium-headless-shell")
    or shutil.which("chromium")
    or "/usr/bin/chromium"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 800}
VIEWS = {
    "light": (DESKTOP, "light"),
    "dark": (DESKTOP, "dark"),
    "phone": ({"width": 390, "height": 844}, "dark"),
}
# How long anything may take on a machine that does much else: nothing here is about speed.
PATIENCE_MS = 1000 * PATIENCE_S
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = ROOT / "src/web/node_modules/axe-core/axe.min.js"


def _integration():
    """The servers of the integration tests: one way to start one."""
    spec = importlib.util.spec_from_file_location(
        "integration_servers", ROOT / "tests/integration/conftest.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


servers = _integration()


def pytest_collection_modifyitems(items):
    """Without a browser or a built app there is nothing to test: say so, and in CI fail."""
    missing = [str(path) for path in (Path(CHROMIUM), STATIC / "index.html") if not path.exists()]
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    if not missing or not ours:
        return
    reason = f"missing: {', '.join(missing)}; make setup-dev installs and builds it"
    if os.environ.get("CI"):
        raise pytest.UsageError(f"the tests in a browser cannot run: {reason}")
    for item in ours:
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def integration():
    """How the integration tests start servers: for one with other settings."""
    return servers


@pytest.fixture(scope="session")
def hostile_html():
    """HTML that tries to run `window.harmed=1`, to load something, or to be taken for the app's."""
    return json.loads((ROOT / "tests/data/hostile_html.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """One server for each worker, with the sample runbooks."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copytree(ROOT / "samples/runbooks", folder / "runbooks")
    with servers.running(folder) as server:
        yield server


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Guard:
    """Hears what a page must not do: log errors, break its policy, ask another host."""

    def __init__(self, origin):
        self.origins = [origin, "data:", "blob:"]
        self.faults = []
        self.allowed = []

    def allow(self, text):
        """A fault that the test means to cause: one whose text contains this."""
        self.allowed.append(text)

    def watch(self, page):
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("request", self._request)

    def _console(self, message):
        if message.type in ("error", "warning"):
            where = (message.location or {}).get("url", "")
            self.faults.append(f"console {message.type}: {message.text} ({where})")

    def _request(self, request):
        if not request.url.startswith(tuple(self.origins)):
            self.faults.append(f"foreign request: {request.url}")

    def check(self):
        faults = [fault for fault in self.faults if not any(text in fault for text in self.allowed)]
        assert not faults, "\n".join(faults)


@pytest.fixture
def guard(server):
    return Guard(server.url)


@pytest.fixture
def open_page(server, browser, guard):
    """Opens a page in a context of its own; its look, its `zone` and another server by keyword."""
    contexts = []

    def open_(path="/", *, viewport=None, scheme="light", zone=None, at=None, touch=False):
        origin = (at or server).url
        guard.origins.append(origin)
        context = browser.new_context(
            base_url=origin,
            viewport=viewport or DESKTOP,
            color_scheme=scheme,
            timezone_id=zone,
            has_touch=touch,
            is_mobile=touch,
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        guard.watch(page)
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        for page in context.pages:
            # A route that still waits for its reply would fail in whichever test comes next.
            page.unroute_all(behavior="ignoreErrors")
        context.close()
    guard.check()


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture
def sign_in():
    """Signs in by a role's button and waits for the app."""

    def sign_in_(page, role="sre"):
        page.get_by_role("button", name=role, exact=True).click()
        page.get_by_role("navigation", name="Main").wait_for()
        return page

    return sign_in_


@pytest.fixture(scope="session")
def eventually():
    """Waits until something is so, which is not an element's own to `expect`, such as a layout."""

    def eventually_(is_so):
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline, inspect.getsource(is_so)
            time.sleep(0.02)

    return eventually_


@pytest.fixture(scope="module")
def client(server):
    """The API, as whoever signs in by the button `sre`."""
    with server.client(subject="dev-sre", roles=("sre",)) as client:
        yield client


@pytest.fixture(scope="module")
def wait_for(client):
    """Waits until a run is as told, by default at its end; the run."""

    def wait_for_(run_id, is_so=lambda run: run["finished_at"], seconds=2 * PATIENCE_S):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run = client.get(f"/api/runs/{run_id}").json()
            if is_so(run):
                return run
            time.sleep(0.05)
        raise AssertionError(run)

    return wait_for_


@pytest.fixture(scope="module")
def start(client, wait_for):
    """Starts a run by the API; its id. `wait` for its end, unless told otherwise."""

    def start_(ref, *, wait=2 * PATIENCE_S, **body):
        reply = client.post(
            f"/api/runbooks/{ref}/execute", json=body, headers={"Prefer": "respond-async"}
        )
        assert reply.status_code == 202, reply.text
        run_id = reply.json()["run_id"]
        if wait:
            wait_for(run_id, seconds=wait)
        return run_id

    return start_


@pytest.fixture
def open_run(open_page, sign_in):
    """Opens the page of a run, signed in; `rest` of the address, such as `#L5`."""

    def open_(run_id, rest="", **options):
        return sign_in(open_page(f"/run/{run_id}{rest}", **options))

    return open_


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    folder = Path(os.environ.get("E2E_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def picture(pictures):
    """Takes a picture of the whole page: for people to look at, and that drawing works."""

    def take(page, name):
        path = pictures / f"{name}.png"
        page.screenshot(path=path, animations="disabled")
        assert path.stat().st_size > 5_000
        return path

    return take


@pytest.fixture(scope="session")
def axe_script():
    return AXE.read_text(encoding="utf-8")


@pytest.fixture
def check_accessibility(axe_script):
    """Fails with what axe finds on the page as it is now: against WCAG 2.2 AA, or `rules` only."""

    def check(page, rules=AXE_RULES):
        # Through the debugger: the page's own policy allows no foreign script.
        if page.evaluate("typeof axe === 'undefined'"):
            page.evaluate(axe_script)
        found = page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})"
            ".then(result => result.violations.map("
            "item => `${item.id}: ${item.nodes.map(node => node.html + ' ' "
            "+ node.failureSummary).join('; ')}`))",
            rules,
        )
        assert not found, "\n".join(found)

    return check


@pytest.fixture
def look(picture, check_accessibility):
    """Looks at the page as it is now in every view, and then goes on in the first one."""
    from playwright.sync_api import expect

    def show(page, viewport, scheme):
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(f".v-theme--{scheme}").first).to_be_attached()

    def look_(page, name):
        for view, shown in VIEWS.items():
            show(page, *shown)
            picture(page, f"{name}-{view}")
            check_accessibility(page)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        show(page, *VIEWS["light"])

    return look_
