"""The list of runbooks: what each needs, what goes on of it, and that a thumb finds its way."""

import re

import pytest
from playwright.sync_api import expect

PHONE = {"width": 390, "height": 844}
HEIGHTS = """box => [...box.querySelectorAll('a, button, input, label:has(input)')].map(one => {
    const { height } = one.getBoundingClientRect()
    return [one.textContent.trim() || one.outerHTML, height]
})"""


@pytest.fixture
def begin(server, client, tmp_path):
    """Starts runs that go on until they are told to end: (start, end)."""
    go = tmp_path / "go"

    def start(name, policy=""):
        ref = f"{name}.md"
        if not (server.runbooks / ref).exists():
            path = server.runbooks / server.add(name, f"until [[ -e {go} ]]; do sleep 0.05; done")
            path.write_text(path.read_text().replace("# Script\n", f"{policy}# Script\n", 1))
        headers = {"Prefer": "respond-async"}
        reply = client.post(f"/api/runbooks/{ref}/execute", json={}, headers=headers)
        return reply.json()["run_id"]

    yield start, go.touch
    go.touch()


def row(page, name):
    return page.get_by_role("listitem").filter(has=page.get_by_role("link", name=name, exact=True))


def test_it_says_which_claims_are_needed_not_which_one_has(server, open_page, sign_in):
    server.add("needs/Guarded", "true", claims="roles: sre, api\nteam: platform")
    page = sign_in(open_page("/runbooks?q=needs/"), "developer")
    expect(row(page, "Guarded")).to_contain_text("Requires roles=sre or api; team=platform")
    has = row(page, "Guarded").get_by_title("You have roles=developer; no team")
    expect(has).to_be_visible()
    page.goto("/execute/needs/Guarded.md")
    expect(page.get_by_text("Requires roles=sre or api; team=platform. Ask")).to_be_visible()


def test_it_shows_what_goes_on(begin, open_page, sign_in, picture, check_accessibility):
    start, end = begin
    start("goes/On")
    page = sign_in(open_page("/runbooks?q=goes/"))
    expect(row(page, "On")).to_contain_text(re.compile(r"Running\s*by dev-sre, for \d"))
    expect(row(page, "On")).not_to_contain_text("Never run")
    newest = [start("goes/On"), start("goes/On")][-1]
    expect(row(page, "On")).to_contain_text("+2 more")
    running = row(page, "On").get_by_role("link", name="Running")
    expect(running).to_have_attribute("href", f"/run/{newest}")
    picture(page, "runbooks-running")
    check_accessibility(page)
    row(page, "On").get_by_role("link", name="+2 more").click()
    table = page.get_by_role("region", name="Runs", exact=True)
    expect(table.get_by_role("row").filter(has_text="goes/On.md")).to_have_count(3)
    page.go_back()
    end()
    expect(row(page, "On")).to_contain_text("Succeeded")
    expect(row(page, "On")).not_to_contain_text("Running")


def test_what_waits_for_its_turn_is_shown_too(begin, open_page, sign_in):
    start, _ = begin
    for _ in range(2):
        start("goes/Locked", "# Policy\n```yaml\nlocks: one\n```\n\n")
    page = sign_in(open_page("/runbooks?q=goes/Locked"))
    expect(row(page, "Locked")).to_contain_text(re.compile(r"Waiting\s*by dev-sre, for \d"))


def test_a_runbook_that_never_ran_says_so(server, open_page, sign_in):
    server.add("never/Open", "true")
    server.add("never/Guarded", "true", claims="team: platform")
    page = sign_in(open_page("/runbook/never/Open.md"))
    expect(page.get_by_text("Never run", exact=True)).to_be_visible()
    page.goto("/runbook/never/Guarded.md")
    expect(page.get_by_text("No visible runs", exact=True)).to_be_visible()


def test_a_thumb_hits_what_it_means(server, client, open_page, sign_in):
    server.add("thumb/Small", "true")
    client.post("/api/runbooks/thumb/Small.md/execute", json={}).raise_for_status()
    page = sign_in(open_page("/runbooks?q=thumb/", viewport=PHONE))
    expect(row(page, "Small")).to_contain_text("Succeeded")
    execute = row(page, "Small").get_by_role("link", name="Execute Small")
    assert execute.bounding_box()["height"] >= 36
    small = [one for one in page.get_by_role("main").evaluate(HEIGHTS) if one[1] < 24]
    box = page.get_by_role("checkbox").bounding_box()
    assert [one for one in small if "checkbox" not in one[0]] == []
    assert box["height"] >= 20


def test_all_runs_of_a_runbook_can_be_reached(
    server, client, open_page, sign_in, check_accessibility
):
    server.add("thumb/Often", "true")
    for _ in range(7):
        client.post("/api/runbooks/thumb/Often.md/execute", json={}).raise_for_status()
    page = sign_in(open_page("/runbook/thumb/Often.md", viewport=PHONE))
    page.get_by_role("heading", name="Last runs").click()
    every = page.get_by_role("link", name="View all runs")
    assert every.bounding_box()["height"] >= 24
    check_accessibility(page)
    every.click()
    expect(page).to_have_url(re.compile(r"/runs\?runbook="))


def add_labelled(server, name, tags, owner, script="true"):
    path = server.runbooks / server.add(name, script)
    path.write_text(f"---\ntags: [{', '.join(tags)}]\nowner: {owner}\n---\n{path.read_text()}")


def names(page):
    return page.get_by_role("list", name="Runbooks").locator(".name")


def test_a_search_ranks_its_hits_and_is_done_by_keyboard(
    server, open_page, sign_in, picture, check_accessibility
):
    add_labelled(server, "seek/a/Nightly", ["edge"], "network", "print seekme")
    add_labelled(server, "seek/b/seekme-later", ["edge", "db"], "platform")
    add_labelled(server, "seek/seekme/Other", ["db"], "network")
    page = sign_in(open_page("/runbooks?q=seekme"))
    # The script is searched by the server, a moment later.
    expect(names(page)).to_have_text(["seekme-later", "Other", "Nightly"])
    expect(page.get_by_role("button", name="seek/")).to_have_count(0)
    picture(page, "runbooks-search")
    check_accessibility(page)
    field = page.get_by_role("searchbox", name="Search")
    field.fill("seeklat")  # parts of seekme-later
    expect(names(page)).to_have_text(["seekme-later"])
    field.fill("seek/")
    expect(names(page)).to_have_count(3)
    field.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(names(page).nth(1)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()

    page.get_by_role("link", name="Filter by tag db").first.click()
    expect(page).to_have_url(re.compile("tag=db"))
    page.get_by_role("combobox", name="Filter by owner").select_option("network")
    expect(page).to_have_url(re.compile("owner=network"))
    expect(names(page)).to_have_text(["Other"])
    page.reload()
    expect(names(page)).to_have_text(["Other"])
    page.get_by_role("link", name="Remove the filter for tag db").click()
    expect(names(page)).to_have_count(2)
    page.get_by_role("searchbox", name="Search").press("Enter")
    expect(page).to_have_url(re.compile("/runbook/seek/"))


LONG = "Rotate" + "AllTheCertificatesOfTheEdge" * 3  # longer than 80 characters, unbroken
IN_SIGHT = """box => [...box.querySelectorAll('*')].flatMap(one => {
    const range = document.createRange()
    range.selectNodeContents(one)
    const inner = [...range.getClientRects()]
    const { left, right } = box.getBoundingClientRect()
    return inner.filter(r => r.left < left - 1 || r.right > right + 1).map(() => one.textContent)
})"""

TEXT_HEIGHT = """box => {
    const range = document.createRange()
    range.selectNodeContents(box)
    return range.getBoundingClientRect().height
}"""


@pytest.mark.parametrize("width", [1280, 800, 390, 320])
def test_long_names_are_read_whole(server, client, width, open_page, sign_in, picture):
    ref = server.add(f"long/{LONG}", "true")
    body = {"reason": "x" * 90}
    if not client.get("/api/runs", params={"runbook": ref}).json()["runs"]:
        client.post(f"/api/runbooks/{ref}/execute", json=body).raise_for_status()
    viewport = {"width": width, "height": 800}
    page = sign_in(open_page("/runbooks?q=long/", viewport=viewport))
    item = row(page, LONG)
    expect(item).to_contain_text("Succeeded")
    picture(page, f"long-runbooks-{width}")
    assert item.evaluate(IN_SIGHT) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.goto(f"/runs?runbook={ref}")
    line = page.get_by_role("region", name="Runs", exact=True).get_by_role("row")
    by = line.get_by_role("cell").filter(has_text=re.compile("^ *dev-sre *$"))
    expect(by).to_be_visible()
    picture(page, f"long-runs-{width}")
    # On one line, and beside the name, which has most of the room.
    assert by.evaluate(TEXT_HEIGHT) < 30
    assert line.get_by_role("cell").filter(has_text=LONG).bounding_box()["width"] > 200
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
