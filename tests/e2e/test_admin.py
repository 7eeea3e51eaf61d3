"""The admin page: how the server is, how it is set up, who one is."""

import httpx
import pytest
from playwright.sync_api import expect

VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_state_settings_and_token(name, open_page, sign_in, picture, check_accessibility):
    viewport, scheme = VIEWS[name]
    page = sign_in(open_page("/admin", viewport=viewport, scheme=scheme), "admin")
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()
    workers = page.get_by_role("region", name="Workers")
    expect(workers).to_contain_text("Server")
    expect(workers).to_contain_text("Accepting runs")
    assert workers.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    settings = page.get_by_role("region", name="Settings table")
    expect(settings.get_by_role("row", name="JWT_SECRET")).to_contain_text("secret")
    expect(settings.get_by_role("row", name="MAX_BODY_BYTES")).to_contain_text("1048576 1 MiB")
    expect(page.get_by_role("region", name="Your claims")).to_contain_text("dev-admin")
    picture(page, f"admin-{name}")
    check_accessibility(page)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    page.get_by_role("searchbox").fill("runbooks_dir")
    expect(settings.get_by_role("row")).to_have_count(2)
    expect(settings).to_contain_text("environment")
    page.get_by_role("searchbox").fill("max_")
    page.get_by_label("Modified only").check()
    expect(settings).to_contain_text("No matching settings")


def test_what_it_links_to_is_there(server, open_page, sign_in):
    page = sign_in(open_page("/admin"))
    links = page.get_by_role("navigation", name="Server links").get_by_role("link")
    expect(links.first).to_be_visible()
    paths = [link.get_attribute("href") for link in links.all()]
    assert {"/docs/explorer.html", "/docs/openapi.yaml", "/metrics"} <= set(paths)
    for path in paths:
        assert httpx.get(server.url + path).status_code == 200


def test_the_reasons_why_it_is_not_ready(open_page, sign_in, check_accessibility):
    page = sign_in(open_page("/runbooks"))

    def unready(route):
        reply = route.fetch()
        state = reply.json() | {"ready": False, "reasons": ["no worker answers"], "workers": []}
        state["queue"]["accepting"] = False
        route.fulfill(response=reply, json=state)

    page.route("**/api/status", unready)
    page.get_by_role("link", name="Admin", exact=True).click()
    expect(page.get_by_text("Not ready")).to_be_visible()
    expect(page.get_by_text("no worker answers")).to_be_visible()
    expect(page.get_by_text("No workers. Runs stay queued.")).to_be_visible()
    check_accessibility(page)


def test_an_error_leaves_the_rest(open_page, sign_in, guard, check_accessibility):
    guard.allow("400")
    page = sign_in(open_page("/runbooks"))
    problem = {"title": "Bad", "status": 400, "detail": "It is broken.", "code": "invalid_request"}
    page.route("**/api/status", lambda route: route.fulfill(status=400, json=problem))
    page.get_by_role("link", name="Admin", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("It is broken.")
    expect(page.get_by_role("region", name="Settings table")).to_be_visible()
    check_accessibility(page)
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    page.unroute("**/api/status")
    page.reload()
    expect(page.get_by_text("Ready", exact=True)).to_be_visible()
