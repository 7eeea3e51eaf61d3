"""Long lists and long logs: only what is in sight is drawn, and following keeps up."""

import os
import re

import pytest
from playwright.sync_api import expect

from patience import PATIENCE_S

RUNBOOKS = 400
LINES = 5_000
BURST = int(os.environ.get("E2E_BURST_LINES", "20000"))
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
# While lines come, the box is higher for a moment, and the browser scrolls to fill it.
FLICKER = """() => {
    const box = document.querySelector('.lines')
    let last = 0
    new MutationObserver(() => {
        if (performance.now() - last < 100) return
        last = performance.now()
        box.style.maxHeight = '2000px'
        void box.scrollTop
        box.style.maxHeight = ''
    }).observe(box, { subtree: true, childList: true })
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

    log.hover()
    page.mouse.wheel(0, -20 * LINES)
    expect(page.get_by_text("line 1", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Jump to end")).to_be_visible()
    long_server.go.touch()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{LINES + 1} lines")).to_be_visible()
    expect(page.get_by_text("line 1", exact=True)).to_be_visible()
    page.get_by_role("button", name="Jump to end").click()
    expect(page.get_by_text("the last line", exact=True)).to_be_visible()


def test_a_log_is_followed_however_late_it_is_laid_out(
    long_server, open_page, sign_in, tmp_path, eventually
):
    """Bursts on both streams, with long lines, in a browser that is slow and lays out late."""
    go = tmp_path / "go"
    script = f"""
    import os, time

    def write(first, last):
        for n in range(first, last + 1):
            os.write(1 + n % 2, f"line {{n}}{{' long' * 600 * (n % 700 == 1)}}\\n".encode())

    write(1, 100)
    while not os.path.exists("{go}"):
        time.sleep(0.05)
    write(101, {BURST})
    while os.path.exists("{go}"):
        time.sleep(0.05)
    """
    long_server.add("Bursts", script, language="python")
    page = sign_in(open_page("/execute/Bursts.md"))
    page.get_by_role("button", name="Execute", exact=True).click()
    # The engine may swap lines of the two streams, so that the last one is not known by its text.
    log = page.get_by_role("region", name="Run output")
    expect(log.locator("[data-index='100']")).to_be_in_viewport()
    assert page.evaluate(HEIGHT_AT_ONCE) == 50
    page.evaluate(LATE_LAYOUT)
    assert (
        page.locator(".space").evaluate("it => getComputedStyle(it).transitionDuration") == "0.2s"
    )
    page.evaluate(FLICKER)
    page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 3})
    go.touch()
    expect(page.get_by_text(f"{BURST:,} lines", exact=True)).to_be_visible(
        timeout=2000 * PATIENCE_S
    )
    expect(log.locator(f"[data-index='{BURST}']")).to_be_in_viewport()
    left = "box => box.scrollHeight - box.scrollTop - box.clientHeight"
    eventually(lambda: log.evaluate(left) < 2)
    go.unlink()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
