"""Long lists and long logs: only what is in sight is drawn, and following keeps up."""

import re

import pytest
from playwright.sync_api import expect

RUNBOOKS = 400
LINES = 5_000
TO_THE_LAST = """() => {
    const left = document.documentElement.scrollHeight - innerHeight - scrollY
    scrollBy(0, left)
    const links = [...document.querySelectorAll('a')]
    return left < 1 && links.some(link => link.textContent === 'Runbook399')
}"""
LOG_ROWS = "[data-index]"
HEIGHT_AT_ONCE = """() => {
    const box = document.body.appendChild(document.createElement('div'))
    box.style.height = '10px'
    void box.offsetHeight
    box.style.height = '50px'
    const height = box.offsetHeight
    box.remove()
    return height
}"""
LATE_LAYOUT = """() => {
    const [sheet] = document.styleSheets
    sheet.insertRule('.space { transition: height 0.2s !important }', sheet.cssRules.length)
}"""


@pytest.fixture(scope="module")
def long_server(server, tmp_path_factory):
    """The server with a folder of many runbooks, and one that prints much and then waits."""
    for n in range(RUNBOOKS):
        server.add(f"many/Runbook{n:03}", "print hello")
    go = tmp_path_factory.mktemp("go") / "go"
    server.add(
        "Long",
        f"""
        for n in {{1..{LINES}}}; do print "line $n"; done
        until [[ -e {go} ]]; do sleep 0.05; done
        print "the last line"
        """,
    )
    server.go = go
    yield server
    for n in range(RUNBOOKS):
        (server.runbooks / f"many/Runbook{n:03}.md").unlink()
    (server.runbooks / "Long.md").unlink()


def test_of_a_long_list_only_a_part_is_drawn(long_server, open_page, sign_in, check_accessibility):
    page = sign_in(open_page("/runbooks"))
    expect(page.get_by_role("link", name=re.compile("^Execute ")).first).to_be_visible()
    assert page.get_by_role("listitem").count() < 150
    check_accessibility(page)
    # The list grows as its rows are measured: its end is further away than it seems at first.
    page.wait_for_function(TO_THE_LAST)
    expect(page.get_by_role("link", name="Runbook399", exact=True)).to_be_visible()
    page.get_by_role("searchbox", name="Search").fill("runbook12 many")
    expect(page.get_by_role("link", name=re.compile(r"^Runbook12\d$"))).to_have_count(10)
    expect(page).to_have_url(re.compile(r"q=runbook12"))


def test_a_long_log_is_followed_until_someone_reads(long_server, open_page, sign_in):
    page = sign_in(open_page("/execute/Long.md"))
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page.get_by_text(f"line {LINES}", exact=True)).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_text("Running", exact=True)).to_be_visible()
    log = page.get_by_role("region", name="Run output")
    assert log.locator(LOG_ROWS).count() < 200

    log.evaluate("box => box.scrollTo(0, 0)")
    expect(page.get_by_text("line 1", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Jump to end")).to_be_visible()
    long_server.go.touch()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{LINES + 1} lines")).to_be_visible()
    expect(page.get_by_text("line 1", exact=True)).to_be_visible()
    page.get_by_role("button", name="Jump to end").click()
    expect(page.get_by_text("the last line", exact=True)).to_be_visible()


def test_a_log_is_followed_however_late_it_is_laid_out(long_server, open_page, sign_in, tmp_path):
    """The browser may apply a new height later than it was set: when the scroll was, too."""
    go = tmp_path / "go"
    long_server.add(
        "Bursts",
        f"""
        for n in {{1..100}}; do print "line $n"; done
        until [[ -e {go} ]]; do sleep 0.05; done
        for n in {{101..{LINES}}}; do print "line $n"; done
        until [[ ! -e {go} ]]; do sleep 0.05; done
        """,
    )
    page = sign_in(open_page("/execute/Bursts.md"))
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page.get_by_text("line 100", exact=True)).to_be_visible()
    assert page.evaluate(HEIGHT_AT_ONCE) == 50
    page.evaluate(LATE_LAYOUT)
    assert (
        page.locator(".space").evaluate("it => getComputedStyle(it).transitionDuration") == "0.2s"
    )
    go.touch()
    expect(page.get_by_text(f"line {LINES}", exact=True)).to_be_in_viewport()
    log = page.get_by_role("region", name="Run output")
    left = "box => box.scrollHeight - box.scrollTop - box.clientHeight"
    assert log.evaluate(left) < 2
    go.unlink()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
