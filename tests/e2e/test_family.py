"""Runs that have to do with one another name each other on their pages."""

import re

import pytest
from playwright.sync_api import expect

VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "light"),
}


def related(page):
    return page.locator("section", has=page.get_by_role("heading", name="Related runs"))


@pytest.mark.parametrize("view", VIEWS)
def test_relatives_are_named_with_their_status(
    view, server, open_page, sign_in, picture, check_accessibility
):
    server.add("family/Child", "exit 4")
    server.add("family/Caller", "runbook call family/Child.md")
    with server.client() as client:
        caller = client.post("/api/runbooks/family/Caller.md").json()["run_id"]
        (child,) = client.get(f"/api/runs/{caller}").json()["children"]
        again = client.post(f"/api/runs/{caller}/retry", json={}, headers={"Accept": "*/*"})
        again.raise_for_status()
    viewport, scheme = VIEWS[view]
    page = sign_in(open_page(f"/run/{child['id']}", viewport=viewport, scheme=scheme))
    expect(related(page).get_by_role("listitem")).to_have_text(
        re.compile("Called by Caller *Failed")
    )
    picture(page, f"run-child-{view}")
    check_accessibility(page)
    related(page).get_by_role("link", name="Caller").click()
    expect(page.get_by_role("heading", name="Caller", level=1)).to_be_visible()
    expect(related(page).get_by_role("listitem")).to_have_text(
        re.compile("Retried by Caller *Failed")
    )
    related(page).get_by_role("link", name="Caller").click()
    expect(related(page).get_by_role("listitem")).to_have_text(
        re.compile("Retry of Caller *Failed")
    )


def test_called_runs_are_below_their_caller(
    server, start, open_page, sign_in, picture, check_accessibility
):
    server.add("below/Child", "exit 4")
    start(server.add("below/Caller", "runbook call below/Child.md; runbook call below/Child.md"))
    page = sign_in(open_page("/runs?q=below/"))
    rows = page.get_by_role("region", name="Runs", exact=True).get_by_role("row")
    fold = page.get_by_role("button", name="Runs called by Caller: 2 runs, 2 failed")
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(rows).to_have_count(2)  # with the head
    fold.click()
    expect(rows).to_have_text(
        [re.compile(name) for name in ("Runbook", "Caller", "Child", "Child")]
    )
    picture(page, "runs-below")
    check_accessibility(page)
    # Without its caller in the list, a run says that it was called.
    page.goto("/runs?runbook=below/Child.md")
    expect(page.get_by_role("link", name="called")).to_have_count(2)


def test_a_caller_that_goes_on_is_followed(server, tmp_path, open_page, sign_in, wait_for):
    go = tmp_path / "go"
    server.add("family/Quick", "true")
    script = f"runbook call family/Quick.md; until [[ -e {go} ]]; do sleep 0.05; done"
    ref = server.add("family/Slow", script)
    with server.client() as client:
        headers = {"Prefer": "respond-async"}
        reply = client.post(f"/api/runbooks/{ref}/execute", json={}, headers=headers)
    page = sign_in(open_page("/runs?runbook=family/Quick.md"))
    # From now on the page's timers are the test's.
    page.clock.install()
    page.get_by_role("link", name="Quick", exact=True).click()
    expect(page.get_by_text("Succeeded").first).to_be_visible()
    expect(related(page)).to_contain_text(re.compile("Called by Slow *Running"))
    go.touch()
    wait_for(reply.json()["run_id"])
    page.clock.fast_forward(11_000)
    expect(related(page)).to_contain_text(re.compile("Called by Slow *Succeeded"))
