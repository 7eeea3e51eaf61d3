"""What is seen and asked for before the app is there."""

import re

import pytest
from playwright.sync_api import expect

MAIN = re.compile(r"/assets/index-[^/]*\.js$")
LIST = re.compile(r"/assets/RunbooksPage-[^/]*\.js$")
COLOURS = {"light": "rgb(246, 248, 250)", "dark": "rgb(13, 17, 23)"}


@pytest.fixture
def hold():
    """Lets requests wait until they are let go."""

    def hold_(page, pattern):
        held = []
        page.route(pattern, lambda route: held.append(route))  # noqa: PLW0108 - Playwright needs a function of Python

        def let_go():
            for route in held:
                route.continue_()
            page.unroute(pattern)

        return let_go

    return hold_


@pytest.mark.parametrize(
    ("scheme", "chosen"), [("light", None), ("dark", None), ("light", "dark"), ("dark", "light")]
)
def test_something_is_seen_before_any_of_the_app_is_there(
    open_page, sign_in, hold, picture, scheme, chosen
):
    page = sign_in(open_page("/", scheme=scheme))
    if chosen:
        page.evaluate(f"localStorage['runbook.preferences'] = '{{\"theme\": \"{chosen}\"}}'")
    let_go = hold(page, MAIN)
    page.goto("/runbooks", wait_until="commit")
    expect(page.get_by_role("status")).to_have_text("Loading…")
    first = page.locator(".first")
    expect(first).to_have_css("background-color", COLOURS[chosen or scheme])
    picture(page, f"first-{scheme}-{chosen}")
    let_go()
    expect(page.get_by_role("link", name="SimpleRunbook", exact=True)).to_be_visible()
    expect(first).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "text", "source", "most"),
    [
        ("/runbooks", "SimpleRunbook.md", "/api/runbooks", 8),
        ("/runbook/SimpleRunbook.md", "Required Claims", "/api/runbooks/SimpleRunbook.md", 11),
    ],
)
def test_what_a_page_needs_is_asked_for_at_once(open_page, sign_in, hold, path, text, source, most):
    page = sign_in(open_page("/login"))
    expect(page.get_by_role("link", name="SimpleRunbook", exact=True)).to_be_visible()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    let_go = hold(page, MAIN)
    with page.expect_response(re.compile(re.escape(source) + "$")) as response:
        page.goto(path, wait_until="commit")
    assert response.value.ok
    early = [url for url in asked if url.endswith(".js")]
    let_go()
    expect(page.get_by_text(text).first).to_be_visible()
    # No script comes later, and the data is not asked for twice.
    assert {url for url in asked if url.endswith(".js")} == set(early)
    assert sum(url.endswith(source) for url in asked) == 1
    files = [url for url in asked if "/assets/" in url]
    assert len(files) <= most, "\n".join(files)


def test_a_first_page_that_cannot_be_loaded_says_so_and_can_be_tried_again(
    open_page, sign_in, guard
):
    for text in ("Failed to load resource", "dynamically imported module", "Failed to fetch"):
        guard.allow(text)
    page = sign_in(open_page("/admin"))
    page.route(LIST, lambda route: route.abort())
    page.goto("/runbooks")
    expect(page.get_by_text("Couldn't load part of the app")).to_be_visible()
    page.unroute(LIST)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="SimpleRunbook", exact=True)).to_be_visible()

    # On a page that is shown, it covers nothing and can be closed.
    page.goto("/runbooks")
    page.route(re.compile("/assets/AdminPage"), lambda route: route.abort())
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Admin").click()
    failure = page.get_by_text("Couldn't load part of the app")
    expect(failure).to_be_visible()
    search = page.get_by_role("searchbox", name="Search").bounding_box()
    card = page.locator(".load-failure").bounding_box()
    assert card["y"] + card["height"] <= search["y"]
    page.get_by_role("button", name="Close").click()
    expect(failure).to_have_count(0)


def test_offline_is_not_taken_for_loading(open_page, sign_in, guard):
    for text in ("ERR_INTERNET_DISCONNECTED", "dynamically imported module"):
        guard.allow(text)
    page = sign_in(open_page("/runbooks"))
    page.get_by_role("link", name="SimpleRunbook", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("SimpleRunbook")
    page.goto("/runbooks")
    row = page.get_by_role("link", name="LongRunningRunbook", exact=True)
    expect(row).to_be_visible()
    page.context.set_offline(True)
    row.click()
    expect(page.get_by_text("You're offline").first).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("heading", level=1)).to_have_text("LongRunningRunbook")

    # Nor is it, where the page's script is missing; it is loaded when the network is back.
    page.context.set_offline(True)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Admin").click()
    expect(page.get_by_text("You're offline").first).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Admin")


def test_the_styles_of_the_app_stand_in_their_order(open_page, sign_in):
    page = sign_in(open_page("/runbook/SimpleRunbook.md"))
    button = page.get_by_role("link", name="Execute", exact=True)
    expect(button).to_have_css("background-color", "rgb(31, 95, 191)")
    expect(button).to_have_css("color", "rgb(255, 255, 255)")
