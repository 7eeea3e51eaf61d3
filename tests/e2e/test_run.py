"""The page of a run: its steps, its log, what it left."""

import json
import os
import re
import time

import pytest
from playwright.sync_api import expect

PHONE = {"width": 390, "height": 844}
LINES = int(os.environ.get("E2E_LOG_LINES", "100000"))
HITS = sum("n7777" in f"n{n}" for n in range(1, LINES + 1))


def log_of(page):
    return page.get_by_role("region", name="Output of the run")


def head(page, name):
    return page.get_by_role("heading", level=3).get_by_role("button", name=re.compile(name))


def test_a_failed_step_is_open(open_run, start, picture, check_accessibility, tmp_path):
    run_id = start(
        "language/Resume.md",
        env_vars={"FOLDER": str(tmp_path), "PORT": "80"},
        reason="ticket 4711",
    )
    page = open_run(run_id)
    expect(page.get_by_role("alert").first).to_contain_text("Step 4, Open the port")
    expect(head(page, "Open the port")).to_have_attribute("aria-expanded", "true")
    expect(head(page, "Make the folder")).to_have_attribute("aria-expanded", "false")
    expect(log_of(page)).to_contain_text("Port 80 cannot be opened")
    expect(log_of(page)).not_to_contain_text("Made the folder")
    expect(page.get_by_text("ticket 4711")).to_be_visible()
    picture(page, "run-failed")
    check_accessibility(page)
    head(page, "Make the folder").press("Enter")
    expect(log_of(page)).to_contain_text("Made the folder")
    page.set_viewport_size(PHONE)
    picture(page, "run-failed-phone")
    check_accessibility(page)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="dark")
    picture(page, "run-failed-dark")
    check_accessibility(page)


def test_a_run_is_cancelled(open_run, start, picture, check_accessibility):
    page = open_run(start("LongRunningRunbook.md", wait=False, env_vars={"CYCLES": "200"}))
    expect(page.get_by_text("Cycle 2 of 200")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    picture(page, "run-live")
    check_accessibility(page)
    page.get_by_role("button", name="Cancel", exact=True).click()
    check_accessibility(page)
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    expect(page.get_by_text("Cancelled by dev-sre.")).to_be_visible()


def test_a_lost_connection_is_resumed_without_gap_or_duplicate(
    server, open_run, start, wait_for, guard, tmp_path
):
    go = tmp_path / "go"
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
    expect(page.get_by_text("resumed", exact=True)).to_be_visible(timeout=60_000)
    server.wait_ready()
    go.touch()
    expect(page.get_by_text("the last line", exact=True)).to_be_visible(timeout=30_000)
    with server.client(subject="dev-sre") as fresh:
        total = wait_for(fresh, run_id, lambda run: run["finished_at"])["log_lines"]
    expect(page.get_by_text(f"{total} lines", exact=True)).to_be_visible()
    log = log_of(page)
    seen = {}
    for top in range(0, total * 20 + 400, 200):
        log.evaluate("(box, top) => box.scrollTo(0, top)", top)
        page.wait_for_timeout(30)
        for number, text in log.evaluate(
            "box => [...box.querySelectorAll('[data-index]')].map(row => "
            "[row.dataset.index, row.querySelector('.text').textContent])"
        ):
            seen[int(number)] = text
    ticks = total - 11
    wanted = [f"count {n}" for n in range(1, 11)] + [f"tick {n}" for n in range(1, ticks + 1)]
    assert [seen[n] for n in range(1, total + 1)] == [*wanted, "the last line"]


@pytest.fixture(scope="module")
def long_run(server, client, wait_for):
    server.add(
        "VeryLong",
        f"""
        for n in {{1..{LINES}}}; do print "n$n"; done
        """,
    )
    reply = client.post(
        "/api/runbooks/VeryLong.md/execute", json={}, headers={"Prefer": "respond-async"}
    )
    run_id = reply.json()["run_id"]
    wait_for(client, run_id, lambda run: run["finished_at"], 300)
    return run_id


def test_a_very_long_log_opens_quickly_and_is_searched(long_run, open_run, picture):
    page = open_run(long_run)
    expect(page.get_by_text("n1", exact=True)).to_be_visible()
    began = time.monotonic()
    page.reload()
    expect(page.get_by_text("n1", exact=True)).to_be_visible()
    took = time.monotonic() - began
    print(f"opened in {took:.2f} s")
    assert took < 5  # on a machine that does much else
    expect(page.get_by_text(f"{LINES:,} lines")).to_be_visible()
    assert page.evaluate("document.querySelectorAll('*').length") < 2_000
    page.keyboard.press("Shift+G")
    expect(page.get_by_text(f"n{LINES}", exact=True)).to_be_visible()
    assert page.evaluate("document.querySelectorAll('*').length") < 2_000

    page.keyboard.press("/")
    page.get_by_role("searchbox", name="Search the log").fill("N7777")
    expect(page.get_by_text(f"1 of {HITS} hits")).to_be_visible()
    expect(page.get_by_text("n7777", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"2 of {HITS} hits")).to_be_visible()
    expect(page.get_by_text("n77770", exact=True)).to_be_visible()
    log_of(page).focus()
    page.keyboard.press("Shift+N")
    expect(page.get_by_text(f"1 of {HITS} hits")).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=N7777"))
    picture(page, "run-search")


def test_a_link_leads_to_its_lines(long_run, open_run, check_accessibility):
    page = open_run(long_run, "#L50000-L50002")
    expect(page.get_by_text("n50001", exact=True)).to_be_visible()
    expect(page.get_by_text("Lines 50000 to 50002")).to_be_visible()
    check_accessibility(page)
    number = log_of(page).locator("[data-line='50003']")
    number.click()
    expect(page).to_have_url(re.compile("#L50003$"))
    log_of(page).locator("[data-line='50005']").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("#L50003-L50005$"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy text").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == "\n".join(f"n{n}" for n in (50003, 50004, 50005))
    page.get_by_role("searchbox", name="Search the log").fill(":12")
    page.keyboard.press("Enter")
    expect(page.get_by_text("n12", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("#L12$"))
    page.evaluate("location.hash = '#L70000'")
    expect(page.get_by_text("n70000", exact=True)).to_be_visible()


def test_a_hit_opens_its_step(open_run, start):
    page = open_run(start("language/Steps.md"))
    expect(head(page, "Upload")).to_have_attribute("aria-expanded", "false")
    expect(head(page, "Upload")).to_contain_text("2 attempts")
    page.get_by_role("searchbox", name="Search the log").fill("try 2")
    expect(page.get_by_text("1 of 1 hit", exact=True)).to_be_visible()
    expect(head(page, "Upload")).to_have_attribute("aria-expanded", "true")
    expect(log_of(page)).to_contain_text("Uploaded at try 2")


@pytest.mark.parametrize("view", ["light", "dark", "phone"])
def test_what_a_run_left(view, open_run, start, client, picture, check_accessibility):
    run_id = start("language/Caller.md")
    options = {"viewport": PHONE} if view == "phone" else {"scheme": view}
    page = open_run(run_id, **options)
    expect(page.get_by_role("heading", name="Runs that it called")).to_be_visible()
    picture(page, f"run-caller-{view}")
    check_accessibility(page)
    page.get_by_role("link", name="Outputs", exact=True).first.click()
    expect(page.get_by_text("as VM 104")).to_be_visible()
    expect(page.get_by_text("Called by")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report.txt").click()
    assert download.value.path().read_text() == "VM 104\n"
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the log").click()
    assert "is reported" in download.value.path().read_text()
    picture(page, f"run-outputs-{view}")
    check_accessibility(page)


def test_a_dry_run_says_so(open_run, start, picture, check_accessibility):
    page = open_run(start("language/DryRun.md", env_vars={"NAME": "web2"}, dry_run=True))
    expect(page.get_by_role("heading", name="Dry run: nothing was changed")).to_be_visible()
    expect(page.get_by_text("assumed", exact=True)).to_be_visible()
    expect(page.get_by_text("rename web1 to web2")).to_be_visible()
    page.get_by_text("What would be executed").click()
    picture(page, "run-dry")
    check_accessibility(page)


GOLDEN = [
    [["red ", "ansi-fg-1"]],
    [["still red ", "ansi-fg-1"], ["bold", "ansi-fg-1 ansi-bold"]],
    [["plain", ""]],
    [["256", "rgb(255, 135, 0)"], [" and ", ""], ["true", "rgb(1, 2, 3)"]],
    [["100 %", ""]],
]


def test_colours_go_on_across_lines(server, open_run, start):
    server.add(
        "Colours",
        r"""
        print '\e[31mred '
        print 'still red \e[1mbold\e[0m'
        print 'plain'
        print '\e[38;5;208m256\e[0m and \e[38;2;1;2;3mtrue\e[0m'
        print '50 %\r100 %'
        """,
    )
    page = open_run(start("Colours.md"))
    expect(log_of(page)).to_contain_text("100 %")
    found = log_of(page).evaluate(
        "box => [...box.querySelectorAll('[data-index]')].map(row => "
        "[...row.querySelectorAll('.text > span')].map(span => "
        "[span.textContent, span.style.color || span.className.trim()]))"
    )
    assert found == GOLDEN, json.dumps(found)
    for number in (1, 2):
        row = log_of(page).locator(f"[data-index='{number}'] .text")
        assert row.evaluate("row => row.querySelector('span').className.includes('ansi-fg-1')")


def test_a_waiting_run_says_for_what(
    server, open_run, start, client, wait_for, picture, check_accessibility
):
    holder = server.runbooks / "Holder.md"
    text = (server.runbooks / "LongRunningRunbook.md").read_text()
    holder.write_text(text.replace("# Script", "# Policy\n\n```yaml\nlocks: site\n```\n\n# Script"))
    first = start("Holder.md", wait=False, env_vars={"CYCLES": "100"})
    wait_for(client, first, lambda run: run["status"] == "running")
    second = start("Holder.md", wait=False, env_vars={"CYCLES": "1"})
    wait_for(client, second, lambda run: run["status"] == "waiting")
    page = open_run(second)
    expect(page.get_by_text("Waits for the lock site")).to_be_visible()
    picture(page, "run-waiting")
    check_accessibility(page)
    client.post(f"/api/runs/{second}/cancel")
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    client.post(f"/api/runs/{first}/cancel")
