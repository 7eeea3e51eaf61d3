"""Two runs side by side: what they printed, of which runbook each is, and their names in sight."""

import re

import pytest
from playwright.sync_api import expect

PHONE = {"width": 390, "height": 700}
LINES = "for n in {1..40}; do print line $n; done"


@pytest.fixture
def run_of(server, start):
    def call(name, script):
        return start(server.add(name, script))

    return call


def show_output(page):
    page.get_by_role("button", name="Compare output").click()
    return page.get_by_role("region", name="Changes in output")


@pytest.mark.parametrize("view", [("light", None), ("dark", None), ("light", PHONE)])
def test_what_two_runs_printed_is_compared(
    view, run_of, open_page, sign_in, picture, check_accessibility
):
    scheme, viewport = view
    first = run_of("printed/Same", f"{LINES}; print -P '%F{{red}}one%f'")
    second = run_of("printed/Same", f"{LINES}; print two; print three")
    asked = []
    page = sign_in(open_page(f"/compare/{first}/{second}", scheme=scheme, viewport=viewport))
    page.on("request", lambda request: asked.append(request.url))
    expect(page.get_by_role("heading", name="Output", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Changes in documents")).to_be_visible()
    assert not [url for url in asked if "/log" in url]
    lines = show_output(page)
    expect(lines.locator(".removed .text")).to_have_text(["one"])
    expect(lines.locator(".added .text")).to_have_text(["two", "three"])
    expect(lines).to_contain_text("37 unchanged lines")
    expect(lines).not_to_contain_text("line 12")
    lines.scroll_into_view_if_needed()
    picture(page, f"compare-output-{scheme}-{'phone' if viewport else 'desktop'}")
    check_accessibility(page)


def test_output_that_is_the_same_or_too_long_says_so(run_of, open_page, sign_in):
    short = [run_of("printed/Short", "print same") for _ in range(2)]
    long = [run_of("printed/Long", "for n in {1..2100}; do print $n; done") for _ in range(2)]
    page = sign_in(open_page(f"/compare/{short[0]}/{short[1]}"))
    page.get_by_role("button", name="Compare output").click()
    expect(page.get_by_text("The output is identical.")).to_be_visible()
    page.goto(f"/compare/{long[0]}/{long[1]}")
    page.get_by_role("button", name="Compare output").click()
    expect(page.get_by_text("Only the first 2000 lines of each run are compared")).to_be_visible()
    page.goto(f"/compare/{short[0]}/{long[1]}")
    lines = show_output(page)
    expect(lines.get_by_role("row")).to_have_count(501)  # with the head
    page.get_by_role("button", name="more lines").click()
    expect(lines.get_by_role("row")).to_have_count(1001)


def test_runs_of_two_runbooks_are_both_named(run_of, open_page, sign_in, check_accessibility):
    ids = [run_of("named/Blue", "true"), run_of("named/Green", "true")]
    page = sign_in(open_page(f"/compare/{ids[0]}/{ids[1]}"))
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Compare runs of Blue and Green")
    heads = page.get_by_role("region", name="Comparison").get_by_role("columnheader")
    expect(heads).to_have_text([re.compile("Blue"), re.compile("Green")])
    check_accessibility(page)


def test_the_columns_keep_their_heads(run_of, open_page, sign_in, picture):
    ids = [run_of("heads/Tall", f"print {n}") for n in (1, 2)]
    page = sign_in(open_page(f"/compare/{ids[0]}/{ids[1]}", viewport={"width": 390, "height": 480}))
    table = page.get_by_role("region", name="Comparison")
    heads = table.get_by_role("columnheader")
    expect(heads).to_have_count(2)
    table.get_by_role("row").last.scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 100
    expect(heads.first).to_be_in_viewport()
    expect(heads.last).to_be_in_viewport()
    picture(page, "compare-heads-phone")
    top = page.get_by_role("banner").bounding_box()
    assert heads.first.bounding_box()["y"] >= top["y"] + top["height"] - 1
