"""The page of a run: its steps, what it left, what follows from it."""

import re

import pytest
from playwright.sync_api import expect

PHONE = {"width": 390, "height": 844}


def log_of(page):
    return page.get_by_role("region", name="Run output")


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


LEAF = """
    for n in {1..400}; do print "work $n"; done
    print -u2 "first the cause"
    print -u2 "then the consequence"
    for n in {1..300}; do print "clean up $n"; done
    exit 3
"""


@pytest.mark.parametrize("view", ["light", "dark", "phone"])
def test_the_error_of_a_called_run_is_two_clicks_away(
    view, server, open_page, sign_in, start, picture, check_accessibility
):
    """From the list to the failed run, and from there to the line, however deep it was printed."""
    server.add("nested/Leaf", LEAF)
    server.add("nested/Middle", "runbook call nested/Leaf.md")
    start(server.add("nested/Top", "print begin; runbook call nested/Middle.md"))
    options = {"viewport": PHONE} if view == "phone" else {"scheme": view}
    page = sign_in(open_page("/runs?runbook=nested/Top.md", **options))
    page.get_by_role("link", name="Top", exact=True).first.click()
    failure = page.get_by_role("group", name="Failure")
    jump = failure.get_by_role("link", name="Jump to error in Leaf")
    expect(jump).to_be_in_viewport()
    expect(failure.get_by_text("then the consequence", exact=True)).to_be_visible()
    expect(failure).not_to_contain_text("clean up")
    picture(page, f"run-nested-{view}")
    check_accessibility(page)
    jump.click()
    expect(page).to_have_url(re.compile(r"#L\d+$"))
    marked = log_of(page).locator(".line.selected")
    expect(marked).to_contain_text("then the consequence")
    expect(marked).to_be_in_viewport(ratio=1)
    picture(page, f"run-nested-line-{view}")
    check_accessibility(page)
    # The same way within the page, from the banner.
    log_of(page).evaluate("box => box.scrollTo(0, 0)")
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("button", name="Jump to error").click()
    expect(marked).to_be_in_viewport(ratio=1)


def test_fingers_have_room(open_run, start, picture, tmp_path):
    values = {"FOLDER": str(tmp_path), "PORT": "80"}
    page = open_run(start("language/Resume.md", env_vars=values), viewport=PHONE, touch=True)
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_enabled()
    tools = page.get_by_role("button", name="More log tools")
    title = page.get_by_role("heading", name="Log", exact=True)
    assert tools.bounding_box()["y"] < title.bounding_box()["y"] < tools.bounding_box()["y"] + 44
    tools.click()
    small = (
        page.get_by_role("main")
        .get_by_role("button")
        .evaluate_all(
            "all => all.map(one => [one.textContent || one.ariaLabel, one.getBoundingClientRect()])"
            ".filter(([, box]) => box.height > 0 && (box.height < 44 || box.width < 24))"
        )
    )
    assert not [name for name, _ in small]
    picture(page, "run-failed-touch")


def test_a_run_is_cancelled(open_run, start, picture, check_accessibility):
    page = open_run(start("LongRunningRunbook.md", wait=False, env_vars={"CYCLES": "200"}))
    expect(page.get_by_text("Cycle 2 of 200")).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    picture(page, "run-live")
    check_accessibility(page)
    page.get_by_role("button", name="Cancel run", exact=True).click()
    check_accessibility(page)
    page.get_by_role("dialog").get_by_role("button", name="Cancel run").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    expect(page.get_by_text("Cancelled by dev-sre.")).to_be_visible()


@pytest.mark.parametrize("view", ["light", "dark", "phone"])
def test_what_a_run_left(view, open_run, start, client, picture, check_accessibility):
    run_id = start("language/Caller.md")
    options = {"viewport": PHONE} if view == "phone" else {"scheme": view}
    page = open_run(run_id, **options)
    expect(page.get_by_role("heading", name="Called runs")).to_be_visible()
    picture(page, f"run-caller-{view}")
    check_accessibility(page)
    page.get_by_role("link", name="Outputs", exact=True).first.click()
    expect(page.get_by_text("as VM 104")).to_be_visible()
    expect(page.get_by_text("Called by")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report.txt").click()
    assert download.value.path().read_text() == "VM 104\n"
    if view == "phone":
        page.get_by_role("button", name="More log tools").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download log").click()
    assert "is reported" in download.value.path().read_text()
    picture(page, f"run-outputs-{view}")
    check_accessibility(page)


def assert_is_no_success(page):
    main = page.get_by_role("main")
    assert main.get_by_text("Succeeded", exact=True).count() == 0
    assert main.locator(".status-mark .text-success").count() == 0


def test_a_dry_run_says_so(open_run, start, picture, check_accessibility):
    page = open_run(start("language/DryRun.md", env_vars={"NAME": "web2"}, dry_run=True))
    expect(page.get_by_text("Dry run completed", exact=True)).to_be_visible()
    expect(page.get_by_text("assumed", exact=True)).to_be_visible()
    expect(page.get_by_text("rename web1 to web2")).to_be_visible()
    page.get_by_text("Execution preview").click()
    assert_is_no_success(page)
    picture(page, "run-dry")
    check_accessibility(page)


def test_a_dry_run_that_executed_nothing_is_no_success_anywhere(
    server, open_run, start, picture, check_accessibility
):
    ref = server.add("NotDry", "print hello")
    first, second = start(ref, dry_run=True), start(ref, dry_run=True)
    page = open_run(second)
    expect(page.get_by_role("heading", name="Not executed: ")).to_be_visible()
    expect(page).to_have_title(re.compile("^Not executed"))
    assert_is_no_success(page)
    picture(page, "run-not-dry")
    check_accessibility(page)
    for path in (f"/runs?runbook={ref}", f"/compare/{first}/{second}", f"/runbook/{ref}"):
        page.goto(path)
        expect(page.get_by_text("Not executed", exact=True)).to_have_count(2)
        assert_is_no_success(page)
    page.goto(f"/runbook/{ref}?view=history")
    history = page.get_by_role("region", name="History", exact=True)
    expect(history.get_by_text("Not executed", exact=True)).to_have_count(2)
    assert history.locator(".status-mark .text-success").count() == 0


def test_a_waiting_run_says_for_what(
    server, open_run, start, client, wait_for, picture, check_accessibility
):
    holder = server.runbooks / "Holder.md"
    text = (server.runbooks / "LongRunningRunbook.md").read_text()
    text = text.replace("# LongRunningRunbook", "# Holder")
    holder.write_text(text.replace("# Script", "# Policy\n\n```yaml\nlocks: site\n```\n\n# Script"))
    first = start("Holder.md", wait=False, env_vars={"CYCLES": "100"})
    wait_for(first, lambda run: run["status"] == "running")
    second = start("Holder.md", wait=False, env_vars={"CYCLES": "1"})
    wait_for(second, lambda run: run["status"] == "waiting")
    page = open_run(second)
    expect(page.get_by_text("Waiting for lock site")).to_be_visible()
    picture(page, "run-waiting")
    check_accessibility(page)
    client.post(f"/api/runs/{second}/cancel")
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    client.post(f"/api/runs/{first}/cancel")
