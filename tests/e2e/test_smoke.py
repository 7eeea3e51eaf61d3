"""From signing in to the output of a run, on a desktop and on a phone."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

STATIC = Path(__file__).parents[2] / "src/runbook/api/static"
VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
}


@pytest.fixture(params=VIEWS)
def view(request, open_page, picture, check_accessibility):
    """A page of this size and scheme, and how to look at it: (page, look)."""
    viewport, scheme = VIEWS[request.param]
    page = open_page("/", viewport=viewport, scheme=scheme)

    def look(name):
        picture(page, f"{name}-{request.param}")
        check_accessibility(page)

    return page, look


def test_from_sign_in_to_the_output(view, sign_in):
    page, look = view
    expect(page.get_by_text("Development login")).to_be_visible()
    look("sign-in")
    sign_in(page, "sre")
    expect(page.get_by_role("link", name="SimpleRunbook", exact=True)).to_be_visible()
    look("runbooks")

    page.get_by_role("link", name="SimpleRunbook", exact=True).click()
    expect(page.get_by_role("heading", name="Required Claims")).to_be_visible()
    look("runbook")

    page.get_by_role("link", name="Execute", exact=True).click()
    page.get_by_label("TEST_VAR").fill("seen in the browser")
    look("execute")

    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page).to_have_url(re.compile("/run/"))
    expect(page.get_by_text("TEST_VAR: seen in the browser")).to_be_visible()
    expect(page.get_by_text("Succeeded")).to_be_visible()
    look("run")


def test_runs_and_settings(view, sign_in, server):
    page, look = view
    with server.client() as client:
        for ref in ("SimpleRunbook.md", "FailingRunbook.md"):
            body = {"env_vars": {"TEST_VAR": "x"}}
            client.post(f"/api/runbooks/{ref}/execute", json=body).raise_for_status()
    sign_in(page, "sre")
    page.get_by_role("button", name="Account menu of dev-sre").click()
    expect(page.get_by_text("Sign out")).to_be_visible()
    look("menu")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.get_by_role("region", name="Runs", exact=True)).to_contain_text("SimpleRunbook")
    look("runs")
    page.get_by_role("link", name="Admin", exact=True).click()
    expect(page.get_by_role("cell", name="RUNBOOKS_DIR", exact=True)).to_be_visible()
    look("admin")


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/runbooks", "Runbooks"),
        ("/runbook/language/Inputs.md", "Inputs"),
        ("/runs?status=failed", "Runs"),
        ("/toolkits", "Toolkits"),
        ("/admin", "Admin"),
    ],
)
def test_addresses_work_as_links(open_page, sign_in, path, heading):
    page = sign_in(open_page(path))
    expect(page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(path) + "$"))
    page.reload()
    expect(page.get_by_role("heading", name=heading, exact=True, level=1)).to_be_visible()


def test_an_ended_token_leads_back_to_what_was_typed(open_page, sign_in, guard):
    page = sign_in(open_page("/execute/SimpleRunbook.md"))
    page.get_by_label("TEST_VAR").fill("not lost")
    guard.allow("401")
    page.route("**/api/runbooks/**", lambda route: route.fulfill(status=401, json={}), times=1)
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page.get_by_text("Your session has expired")).to_be_visible()
    sign_in(page)
    expect(page.get_by_label("TEST_VAR")).to_have_value("not lost")


def test_keys_lead_through_the_app(page, sign_in):
    sign_in(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Go to Runs")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()


def test_the_guard_hears_what_a_page_must_not_do(page, guard):
    page.evaluate("fetch('https://example.invalid/').catch(() => null)")
    page.evaluate("console.error('a fault of example.invalid')")
    with pytest.raises(AssertionError, match="Security Policy") as caught:
        guard.check()
    assert "a fault of example" in str(caught.value)
    guard.allow("example.invalid")
    guard.allow("Security Policy")


def test_the_first_load_is_small(open_page, sign_in):
    page = open_page("/runbooks")
    sign_in(page)
    expect(page.get_by_role("link", name="SimpleRunbook", exact=True)).to_be_visible()
    scripts = page.evaluate(
        "performance.getEntriesByType('resource').map(entry => new URL(entry.name).pathname)"
    )
    sizes = [
        (STATIC / f"{path[1:]}.gz").stat().st_size
        for path in set(scripts)
        if path.endswith(".js") and (STATIC / f"{path[1:]}.gz").exists()
    ]
    assert sizes
    assert sum(sizes) < 300 * 1024
