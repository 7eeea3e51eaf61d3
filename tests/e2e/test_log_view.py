"""How a log is looked at: one stream alone, and in the whole window."""

from playwright.sync_api import expect


def log_of(page):
    return page.get_by_role("region", name="Run output")


def line(page, number):
    """The text of a line that is in sight."""
    return log_of(page).locator(f"[data-index='{number}'] .text")


def test_stderr_is_marked_and_shown_alone_and_the_log_fills_the_window(
    server, open_run, start, picture, check_accessibility, tmp_path, eventually
):
    go = tmp_path / "go"
    script = f"""
    for n in {{1..3000}}; do print "out $n"; (( n % 1000 )) || print -u2 "error $n"; done
    until [[ -e {go} ]]; do sleep 0.02; done
    print "out again"; print -u2 "the last error"
    """
    page = open_run(start(server.add("Mixed", script), wait=False))
    rows = log_of(page).locator("[data-index]")
    expect(page.get_by_text("out 3000", exact=True)).to_be_in_viewport()
    expect(log_of(page).locator(".stderr .gutter").last).to_have_text("!")
    picture(page, "run-live-stderr")
    only = page.get_by_role("button", name="Only stderr")
    only.click()
    expect(rows.locator(".text")).to_have_text(["error 1000", "error 2000", "error 3000"])
    expect(page.get_by_text("3 of 3003 lines")).to_be_visible()
    go.touch()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(rows.locator(".text").last).to_have_text("the last error")
    page.reload()
    expect(rows).to_have_count(4)
    check_accessibility(page)
    # A line that is not shown is shown when it is asked for.
    page.get_by_role("searchbox", name="Search log").fill(":1500")
    page.keyboard.press("Enter")
    expect(line(page, 1500)).to_be_in_viewport()
    expect(only).to_have_attribute("aria-pressed", "false")

    log_of(page).focus()
    page.keyboard.press("z")
    eventually(lambda: log_of(page).bounding_box()["height"] > 0.8 * page.viewport_size["height"])
    expect(line(page, 1500)).to_be_in_viewport()
    picture(page, "run-maximized")
    check_accessibility(page)
    for _ in range(30):
        page.keyboard.press("Tab")
        inside = (
            "document.activeElement.closest('.log') ?? document.activeElement === document.body"
        )
        assert page.evaluate(inside)
    header = page.locator(".log > header")
    before = header.bounding_box()
    page.keyboard.press("Shift+G")
    expect(page.get_by_role("button", name="Jump to end")).to_have_count(0)
    assert header.bounding_box() == before
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()


def test_of_a_called_run_only_stderr_is_stderr(server, open_run, start):
    server.add("framed/Child", "print fine; print -u2 wrong")
    script = "print begin; runbook call framed/Child.md; print -u2 own"
    page = open_run(start(server.add("framed/Caller", script)))
    expect(log_of(page)).to_contain_text("┊ fine")
    marked = log_of(page).locator(".stderr .text")
    expect(marked).to_have_text(["┃ wrong", "own"])
    page.get_by_role("button", name="Only stderr").click()
    rows = log_of(page).locator("[data-index] .text")
    expect(rows).to_have_text(["┃ wrong", "own"])
