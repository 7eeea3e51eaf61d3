"""The log of a run: searched, linked to, copied, and whatever a script prints."""

import os
import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

from patience import PATIENCE_S

LINES = int(os.environ.get("E2E_LOG_LINES", "100000"))
HITS = sum("n7777" in f"n{n}" for n in range(1, LINES + 1))


def log_of(page):
    return page.get_by_role("region", name="Run output")


def line(page, number):
    """The text of a line that is in sight."""
    return log_of(page).locator(f"[data-index='{number}'] .text")


def clipboard(page):
    return page.evaluate("navigator.clipboard.readText()")


@pytest.fixture
def go(tmp_path):
    """A file that scripts wait for."""
    return tmp_path / "go"


@pytest.fixture
def open_copying(open_run):
    """Opens the page of a run where the clipboard may be read."""

    def open_(run_id, rest=""):
        page = open_run(run_id, rest)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        return page

    return open_


@pytest.fixture(scope="module")
def long_run(server, start):
    server.add(
        "VeryLong",
        f"""
        for n in {{1..{LINES}}}; do print "n$n"; done
        """,
    )
    return start("VeryLong.md", wait=10 * PATIENCE_S)


def test_of_a_very_long_log_only_a_part_is_drawn_and_all_is_searched(long_run, open_run, picture):
    page = open_run(long_run)
    expect(page.get_by_text("n1", exact=True)).to_be_visible()
    expect(page.get_by_text(f"{LINES:,} lines")).to_be_visible()
    assert page.evaluate("document.querySelectorAll('*').length") < 2_000
    page.keyboard.press("Shift+G")
    expect(page.get_by_text(f"n{LINES}", exact=True)).to_be_visible()
    assert page.evaluate("document.querySelectorAll('*').length") < 2_000

    page.keyboard.press("/")
    page.get_by_role("searchbox", name="Search log").fill("N7777")
    expect(page.get_by_text(f"1 of {HITS} matches")).to_be_visible()
    expect(page.get_by_text("n7777", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"2 of {HITS} matches")).to_be_visible()
    expect(page.get_by_text("n77770", exact=True)).to_be_visible()
    log_of(page).focus()
    page.keyboard.press("Shift+N")
    expect(page.get_by_text(f"1 of {HITS} matches")).to_be_visible()
    expect(page).to_have_url(re.compile(r"q=N7777"))
    picture(page, "run-search")


def test_all_hits_are_stepped_through(long_run, open_run):
    page = open_run(long_run, "?q=n")
    search = page.get_by_role("searchbox", name="Search log")
    expect(page.get_by_text(f"1 of {LINES:,} matches")).to_be_visible()
    search.press("Shift+Enter")
    expect(page.get_by_text(f"{LINES:,} of {LINES:,} matches")).to_be_visible()
    expect(line(page, LINES)).to_be_in_viewport()
    search.press("Shift+Enter")
    expect(line(page, LINES - 1)).to_be_in_viewport()
    search.press("Enter")
    search.press("Enter")
    expect(line(page, 1)).to_be_in_viewport()


def test_the_log_is_searched_by_a_pattern(long_run, open_run, guard, check_accessibility):
    page = open_run(long_run)
    search = page.get_by_role("searchbox", name="Search log")
    search.fill("N[37]00$|^n5005$")
    expect(page.get_by_text("No matches", exact=True)).to_be_visible()
    pattern = page.get_by_role("button", name="Regular expression")
    pattern.click()
    expect(pattern).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("1 of 3 matches")).to_be_visible()
    expect(line(page, 300)).to_be_in_viewport()
    search.press("Shift+Enter")
    expect(line(page, 5005)).to_be_in_viewport()
    check_accessibility(page)
    page.reload()
    expect(page.get_by_text("1 of 3 matches")).to_be_visible()

    guard.allow("400 (BAD REQUEST)")
    search.fill("n(")
    fault = "Invalid regular expression: missing ): n("
    expect(page.get_by_role("search", name="Log search")).to_contain_text(fault)


def test_a_link_leads_to_its_lines(long_run, open_copying, check_accessibility):
    page = open_copying(long_run, "#L50000-L50002")
    expect(page.get_by_text("n50001", exact=True)).to_be_visible()
    expect(page.get_by_text("Lines 50000–50002")).to_be_visible()
    check_accessibility(page)
    number = log_of(page).locator("[data-line='50003']")
    number.click()
    expect(page).to_have_url(re.compile("#L50003$"))
    log_of(page).locator("[data-line='50005']").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile("#L50003-L50005$"))
    page.get_by_role("button", name="Copy text").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    assert clipboard(page) == "\n".join(f"n{n}" for n in (50003, 50004, 50005))
    page.get_by_role("searchbox", name="Search log").fill(":12")
    page.keyboard.press("Enter")
    expect(page.get_by_text("n12", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("#L12$"))
    page.evaluate("location.hash = '#L70000'")
    expect(page.get_by_text("n70000", exact=True)).to_be_visible()


def test_a_hit_opens_its_step(open_run, start):
    page = open_run(start("language/Steps.md"))
    heads = page.get_by_role("heading", level=3)
    upload = heads.get_by_role("button", name=re.compile("Upload"))
    expect(upload).to_have_attribute("aria-expanded", "false")
    expect(upload).to_contain_text("2 attempts")
    page.get_by_role("searchbox", name="Search log").fill("try 2")
    expect(page.get_by_text("1 of 1 match", exact=True)).to_be_visible()
    expect(upload).to_have_attribute("aria-expanded", "true")
    expect(log_of(page)).to_contain_text("Uploaded at try 2")


def test_the_log_is_read_by_keys(long_run, open_run):
    page = open_run(long_run)
    expect(line(page, 1)).to_have_text("n1")
    times = page.get_by_role("button", name=re.compile("^Timestamps: "))
    shown = log_of(page).locator("[data-index='1'] .time")
    for name, look in (
        ("Timestamps: elapsed", re.compile(r"^\d+:\d\d\.\d$")),
        ("Timestamps: clock", re.compile(r"^\d\d:\d\d:\d\d$")),
    ):
        expect(times).to_have_accessible_name(name)
        expect(shown).to_have_text(look)
        page.keyboard.press("t")
    expect(times).to_have_accessible_name("Timestamps: off")
    expect(shown).to_have_count(0)
    wrap = page.get_by_role("button", name="Wrap long lines")
    expect(wrap).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("w")
    expect(wrap).to_have_attribute("aria-pressed", "false")
    expect(line(page, 1)).to_have_css("white-space", "pre")

    page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Search log")
    expect(search).to_be_focused()
    page.keyboard.type("n7777w")  # what is typed is no shortcut
    expect(wrap).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Backspace")
    expect(page.get_by_text(f"1 of {HITS} matches")).to_be_visible()
    log_of(page).focus()
    for key, at, text in (("n", 2, "n77770"), ("n", 3, "n77771"), ("Shift+N", 2, "n77770")):
        page.keyboard.press(key)
        expect(page.get_by_text(f"{at} of {HITS} matches")).to_be_visible()
        expect(page.get_by_text(text, exact=True)).to_be_visible()
    page.keyboard.press("Shift+G")
    expect(line(page, LINES)).to_be_in_viewport()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.get_by_text(f"of {HITS} matches")).to_have_count(0)
    page.keyboard.type(":120-122")
    page.keyboard.press("Enter")
    expect(line(page, 120)).to_be_in_viewport()
    expect(page.get_by_text("Lines 120–122")).to_be_visible()
    page.keyboard.press("Escape")
    expect(search).to_have_value("")


def test_how_one_reads_logs_is_kept(long_run, open_run):
    page = open_run(long_run)
    page.get_by_role("button", name="Timestamps: elapsed").click()
    page.get_by_role("button", name="Wrap long lines").click()
    page.reload()
    expect(page.get_by_role("button", name="Timestamps: clock")).to_be_visible()
    wrap = page.get_by_role("button", name="Wrap long lines")
    expect(wrap).to_have_attribute("aria-pressed", "false")


ODD = """\
\x1b[31mred
still red \x1b[1mbold\x1b[0m
plain
\x1b[94mbright\x1b[0m on \x1b[43mbackground\x1b[0m
\x1b[38;5;208m256\x1b[0m and \x1b[38;2;1;2;3mtrue\x1b[0m
50 %\r100 %
\x1b]8;;https://example.com/\x1b\\site\x1b]8;;\x1b\\ \x1b]8;;javascript:harm=1\x07script\x1b]8;;\x07
\u05e9\u05dc\u05d5\u05dd and \u0645\u0631\u062d\u0628\u0627
\U0001f469\u200d\U0001f680 \U0001f1f3\U0001f1f1 e\u0301
\ttab\x07, bell\x1b[2K and \x1b[3
the end
"""
# What is seen of each line, in spans: the text, and its classes.
SEEN = [
    [["red", "ansi-fg-1"]],
    [["still red ", "ansi-fg-1"], ["bold", "ansi-fg-1 ansi-bold"]],
    [["plain", ""]],
    [["bright", "ansi-fg-12"], [" on ", ""], ["background", "ansi-bg-3"]],
    [["256", "ansi-own"], [" and ", ""], ["true", "ansi-own"]],
    [["100 %", ""]],
    [["site", ""], [" ", ""], ["script", ""]],
    [["\u05e9\u05dc\u05d5\u05dd and \u0645\u0631\u062d\u0628\u0627", ""]],
    [["\U0001f469\u200d\U0001f680 \U0001f1f3\U0001f1f1 e\u0301", ""]],
    [["\ttab, bell", ""], [" and ", ""]],
    [["the end", ""]],
]
TEXTS = ["".join(text for text, _ in spans) for spans in SEEN]
SPANS = """box => [...box.querySelectorAll('[data-index]')].map(row =>
    [...row.querySelectorAll('.text > :is(span, a)')].map(span =>
        [span.textContent, span.className.trim()]))"""


@pytest.fixture(scope="module")
def odd_run(server, start):
    script = f"import os\nos.write(1, {ODD.encode()!r})"
    return start(server.add("Odd", script, language="python"))


def test_output_is_drawn_as_in_a_terminal(odd_run, open_run, picture):
    page = open_run(odd_run)
    expect(line(page, len(SEEN))).to_have_text("the end")
    assert log_of(page).evaluate(SPANS) == SEEN
    # Of the two links, one leads where a browser may go.
    (link,) = log_of(page).locator("a").all()
    expect(link).to_have_attribute("href", "https://example.com/")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    assert page.evaluate("window.harm") is None
    # Whatever way a text runs, its number stands before it.
    for number in range(1, len(SEEN) + 1):
        row = log_of(page).locator(f"[data-index='{number}']")
        before, after = row.locator(".number").bounding_box(), line(page, number).bounding_box()
        assert before["x"] + before["width"] <= after["x"]
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        picture(page, f"run-odd-{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_the_palette_can_be_read(
    server, open_run, start, picture, check_accessibility, scheme
):
    script = r"""
    for row in {0..15}; do
        for n in {$(( 16 * row ))..$(( 16 * row + 15 ))}; do
            print -n "\e[38;5;${n}m$n\e[0m \e[48;5;${n}m$n\e[0m "
        done
        print
    done
    """
    page = open_run(start(server.add("Palette", script)), scheme=scheme)
    expect(line(page, 16)).to_contain_text("255 255")
    picture(page, f"run-palette-{scheme}")
    check_accessibility(page)


def test_a_progress_bar_is_one_line_that_changes(server, open_run, start, go):
    script = f"""
    printf '\\r10 %%'
    until [[ -e {go} ]]; do sleep 0.02; done
    printf '\\r20 %%'; sleep 0.1; printf '\\r100 %%\\n'
    until [[ ! -e {go} ]]; do sleep 0.02; done
    """
    page = open_run(start(server.add("Bar", script), wait=False))
    expect(line(page, 1)).to_have_text("10 %")
    go.touch()
    expect(line(page, 1)).to_have_text("100 %")
    expect(page.get_by_text("1 line", exact=True)).to_be_visible()
    go.unlink()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(line(page, 1)).to_have_text("100 %")


def test_a_line_of_a_mebibyte_is_shown_in_part(server, open_run, start, client, go):
    size = 1 << 20
    script = f"""
    import os, time
    for _ in range(16):
        os.write(1, b"x" * {size // 16})
    while not os.path.exists("{go}"):
        time.sleep(0.02)
    os.write(1, b" end\\nnext\\n")
    """
    run_id = start(server.add("Wide", script, language="python"), wait=False)
    page = open_run(run_id)
    more = line(page, 1).get_by_text("more characters; download the log")
    expect(more).to_be_visible()
    go.touch()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    expect(page.get_by_text("2 lines", exact=True)).to_be_visible()
    for _ in ("as it was followed", "as it is asked for"):
        page.get_by_role("searchbox", name="Search log").fill(":2")
        page.keyboard.press("Enter")
        expect(line(page, 2)).to_have_text("next")
        expect(line(page, 2)).to_be_in_viewport()
        assert len(line(page, 1).text_content()) < 11_000
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.reload()
        expect(more).to_be_visible()
    # The server answers a part of so long a line, and its whole length is not known here.
    expect(more).to_contain_text("at least")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download log").click()
    assert download.value.path().read_bytes() == b"x" * size + b" end\nnext\n"


def test_the_whole_log_is_copied_as_text(odd_run, open_copying):
    page = open_copying(odd_run)
    page.get_by_role("button", name="Copy log").click()
    expect(page.get_by_text("Copied", exact=True)).to_be_visible()
    assert clipboard(page) == "\n".join(TEXTS) + "\n"


def test_the_log_is_downloaded_byte_for_byte(odd_run, open_run, client):
    page = open_run(odd_run)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download log").click()
    content = download.value.path().read_bytes()
    assert content == ODD.encode() == client.get(f"/api/runs/{odd_run}/log").content
    assert download.value.suggested_filename == f"Odd-{odd_run[-8:]}.log"


# The browser copies by itself, after the key was pressed.
COPIED = """async () => {
    for (;;) {
        const text = await navigator.clipboard.readText()
        if (text) return text
        await new Promise(requestAnimationFrame)
    }
}"""


def test_lines_that_were_marked_are_copied_without_numbers_and_times(odd_run, open_copying):
    page = open_copying(odd_run)
    expect(line(page, len(SEEN))).to_have_text("the end")
    page.evaluate("navigator.clipboard.writeText('')")
    first, last = line(page, 2).bounding_box(), line(page, 5).bounding_box()
    page.mouse.move(first["x"] + 1, first["y"] + 10)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] - 1, last["y"] + 10)
    page.mouse.up()
    page.keyboard.press("Control+C")
    assert page.evaluate(COPIED).strip("\n") == "\n".join(TEXTS[1:5])


def test_a_selection_that_is_cut_says_so(server, start, open_copying):
    script = "import os\nos.write(1, b'x' * 70_000 + b'\\nnext\\n')"
    page = open_copying(start(server.add("Cut", script, language="python")), "#L1-L2")
    page.get_by_role("button", name="Copy text").click()
    expect(page.get_by_text("Partly copied; download the log for the rest")).to_be_visible()
    assert re.fullmatch(r"x{60000,69999}\nnext", clipboard(page))


HEAR = """() => {
    window.heard = []
    const text = document.querySelector('section[aria-labelledby=log-title] > [aria-live=polite]')
    window.heardThree = new Promise(resolve => new MutationObserver(() => {
        if (window.heard.push([performance.now(), text.textContent]) === 3) resolve()
    }).observe(text, { childList: true, characterData: true, subtree: true }))
}"""


def test_new_output_is_told_to_those_who_hear_the_page(server, open_run, start, go):
    script = f"until [[ -e {go} ]]; do print tick; sleep 0.05; done"
    page = open_run(start(server.add("Ticks", script), wait=False))
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    page.evaluate(HEAR)
    page.evaluate("window.heardThree")
    go.touch()
    expect(page.get_by_text("Succeeded", exact=True)).to_be_visible()
    heard = page.evaluate("window.heard")
    for _, text in heard:
        assert re.fullmatch(r"\d+ new lines? of output, \d+ total", text)
    times = [at for at, _ in heard]
    assert all(after - before > 1_900 for before, after in pairwise(times))

    # Of a run that has ended nothing is told, however much is read.
    page.clock.install()
    page.reload()
    expect(line(page, 1)).to_have_text("tick")
    page.evaluate(HEAR)
    page.keyboard.press("Shift+G")
    page.clock.fast_forward(10_000)
    assert page.evaluate("window.heard") == []
