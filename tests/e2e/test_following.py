"""A run that is followed: whatever happens meanwhile, its page shows what is so."""

import re
import signal

import pytest
from playwright.sync_api import expect

from patience import PATIENCE_S

PHONE = {"width": 390, "height": 844}
READ = """async (box, top) => {
    box.scrollTo(0, top)
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame)
    return [...box.querySelectorAll('[data-index]')].map(row =>
        [Number(row.dataset.index), row.querySelector('.text').textContent])
}"""
MANY = """\
# Many

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
Input:
```

# Script
{steps}
# History
"""
STEP = """
## Step {n}
```sh
{script}
```
"""
HIDE = """hidden => {
    Object.defineProperty(document, 'hidden', {configurable: true, get: () => hidden})
    document.dispatchEvent(new Event('visibilitychange'))
}"""


def log_of(page):
    return page.get_by_role("region", name="Run output")


def read_through(page, total):
    """Every line's text by its number, from the top to the end."""
    seen = {}
    for top in range(0, total * 20 + 400, 200):
        seen |= dict(log_of(page).evaluate(READ, top))
    return seen


def bottom(box):
    return box["y"] + box["height"]


class Requests:
    """What a page has asked of the server, and what it still waits for."""

    def __init__(self, page):
        self.begun, self.open = [], []
        page.on("request", self._begin)
        page.on("requestfailed", self._end)
        page.on("requestfinished", self._end)

    def _begin(self, request):
        self.begun.append(request)
        self.open.append(request)

    def _end(self, request):
        if request in self.open:
            self.open.remove(request)

    def streams(self):
        return [request for request in self.open if "/events" in request.url]


@pytest.fixture
def go(tmp_path):
    """A file that scripts wait for."""
    return tmp_path / "go"


@pytest.fixture
def waiting_run(server, start, go):
    """A run that prints a line, waits for the file, prints another one and leaves a summary."""
    script = f"""
        print "the first line"
        until [[ -e {go} ]]; do sleep 0.05; done
        print "the last line"
        print "**All** is done." > $RUNBOOK_SUMMARY
    """
    return start(server.add("Waiting", script), wait=False)


def test_a_lost_connection_is_resumed_without_gap_or_duplicate(
    server, open_run, start, wait_for, guard, go
):
    server.add(
        "Counting",
        f"""
        for n in {{1..10}}; do print "count $n"; done
        until [[ -e {go} ]]; do print "tick $(( ++t ))"; sleep 0.1; done
        print "the last line"
        """,
    )
    run_id = start("Counting.md", wait=False)
    page = open_run(run_id)
    expect(page.get_by_text("tick 5", exact=True)).to_be_visible()
    guard.allow("ERR_")
    guard.allow("Failed to load resource")
    web = server.web.children() or [server.web]
    for child in web:
        child.kill()
    expect(page.get_by_text(re.compile("Reconnecting|Connection lost"))).to_be_visible()
    expect(page.get_by_text("reconnected", exact=True)).to_be_visible(timeout=2000 * PATIENCE_S)
    server.wait_ready()
    go.touch()
    expect(page.get_by_text("the last line", exact=True)).to_be_visible()
    total = wait_for(run_id)["log_lines"]
    expect(page.get_by_text(f"{total} lines", exact=True)).to_be_visible()
    seen = read_through(page, total)
    ticks = total - 11
    wanted = [f"count {n}" for n in range(1, 11)] + [f"tick {n}" for n in range(1, ticks + 1)]
    assert [seen.get(n) for n in range(1, total + 1)] == [*wanted, "the last line"]


def test_a_hidden_tab_keeps_no_connection_and_its_title_tells(waiting_run, open_run, wait_for, go):
    page = open_run(waiting_run)
    page.clock.install()
    requests = Requests(page)
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert len(requests.streams()) == 1
    with page.expect_event("requestfailed", lambda request: "/events" in request.url):
        page.evaluate(HIDE, True)
    assert requests.streams() == []
    go.touch()
    wait_for(waiting_run)
    page.clock.fast_forward(16_000)
    expect(page).to_have_title(re.compile("^Succeeded: Waiting"))
    assert requests.streams() == []
    expect(page.get_by_text("the last line")).to_have_count(0)
    page.evaluate(HIDE, False)
    expect(page.get_by_text("the last line")).to_be_visible()
    expect(page.get_by_text("2 lines", exact=True)).to_be_visible()


def test_a_server_that_says_nothing_is_noticed(server, waiting_run, open_run, guard, go):
    guard.allow("Failed to load resource")
    guard.allow("ERR_")
    page = open_run(waiting_run)
    page.clock.install()
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    web = [*server.web.children(), server.web]
    for process in web:
        process.send_signal(signal.SIGSTOP)
    try:
        page.clock.fast_forward(41_000)
        expect(page.get_by_text(re.compile("Reconnecting|Connection lost"))).to_be_visible()
    finally:
        for process in web:
            process.send_signal(signal.SIGCONT)
    expect(page.get_by_text("reconnected", exact=True)).to_be_visible(timeout=2000 * PATIENCE_S)
    go.touch()
    expect(page.get_by_text("the last line")).to_be_visible()


def test_the_end_of_a_run_is_seen_though_its_row_cannot_be_had(
    waiting_run, open_run, guard, go, check_accessibility
):
    guard.allow("503 (Service Unavailable)")
    page = open_run(waiting_run)
    page.clock.install()
    page.reload()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    row = re.compile(rf"/api/runs/{waiting_run}$")
    page.route(row, lambda route: route.fulfill(status=503, json={"detail": "Too busy."}))
    go.touch()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Cancel run", exact=True)).to_have_count(0)
    page.clock.run_for(5_000)
    stale = page.get_by_text("This page may be out of date. Too busy.")
    expect(stale).to_be_visible()
    check_accessibility(page)
    page.unroute(row)
    page.clock.run_for(11_000)
    expect(page.get_by_text("All is done.")).to_be_visible()
    expect(stale).to_have_count(0)


def test_a_run_of_many_steps_is_followed_without_asking_again(server, start, open_run, go):
    first = f"until [[ -e {go} ]]; do sleep 0.05; done"
    steps = [STEP.format(n=n, script=first if n == 1 else f"print {n}") for n in range(1, 31)]
    (server.runbooks / "Many.md").write_text(MANY.format(steps="".join(steps)))
    page = open_run(start("Many.md", wait=False))
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    requests = Requests(page)
    go.touch()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("30 Step 30"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^17 Step 17 done"))).to_be_attached()
    urls = [request.url for request in requests.begun]
    rows = [url for url in urls if re.search(r"/api/runs/[0-9a-f-]+$", url)]
    assert len(rows) < 10, rows  # a few by the clock, not one for each step


def test_on_a_phone_the_newest_line_and_a_linked_one_are_in_sight(
    server, start, open_run, go, eventually
):
    script = f"""
        for n in {{1..200}}; do print "line $n"; done
        until [[ -e {go} ]]; do sleep 0.05; done
    """
    run_id = start(server.add("Tall", script), wait=False)
    page = open_run(run_id, viewport=PHONE)
    bar = page.get_by_role("navigation", name="Main")

    def is_above_bar(line):
        return bottom(line.bounding_box()) <= bar.bounding_box()["y"]

    newest = page.get_by_text("line 200", exact=True)
    expect(newest).to_be_visible()
    eventually(lambda: is_above_bar(newest))
    page.goto(f"/run/{run_id}#L150-L152")
    linked = page.get_by_text("line 152", exact=True)
    expect(linked).to_be_visible()
    eventually(lambda: is_above_bar(linked))
    # The status stays in sight, and so does what cancels the run.
    page.set_viewport_size({"width": 390, "height": 500})
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(page.get_by_role("heading", level=1)).not_to_be_in_viewport()
    expect(page.get_by_text("Running", exact=True)).to_be_in_viewport(ratio=1)
    cancel = page.get_by_role("button", name="Cancel run", exact=True)
    expect(cancel).to_be_in_viewport(ratio=1)
    cancel.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()


def test_the_head_of_a_step_stays_while_its_lines_are_read(server, open_run, start, picture):
    steps = [STEP.format(n=n, script="for n in {1..60}; do print $n; done") for n in (1, 2)]
    (server.runbooks / "Heads.md").write_text(MANY.format(steps="".join(steps)))
    page = open_run(start("Heads.md"))
    head = log_of(page).locator(".pinned")
    page.get_by_role("button", name="Expand all steps").click()
    log_of(page).evaluate("box => box.scrollTo(0, 500)")
    expect(head).to_contain_text("Step 1")
    picture(page, "run-pinned-head")
    log_of(page).evaluate("box => box.scrollTo(0, 38)")
    expect(head).to_contain_text("Step 1")
    log_of(page).evaluate("box => box.scrollTo(0, 0)")
    expect(head).to_have_count(0)
    log_of(page).evaluate("box => box.scrollTo(0, 1600)")
    expect(head).to_contain_text("Step 2")
    head.locator("button").click()
    step = page.get_by_role("button", name=re.compile("2 Step 2"))
    expect(step).to_have_attribute("aria-expanded", "false")
    expect(step).to_be_in_viewport()
