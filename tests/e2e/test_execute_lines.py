"""What is pasted into the form, or comes with a link or an earlier run, is sent as it is."""

from urllib.parse import quote

import pytest
from playwright.sync_api import expect

LINES = "info:\n  name: demo\n\tslug: demo\n"
ODD = "  a\r\n\tb\rc \n"


@pytest.fixture
def short_form(server):
    script = "python3 -c 'import os; print(ascii(os.environ[\"CONFIG_YAML\"]))'"
    return server.add("ShortForm", script, inputs="CONFIG_YAML: Several lines.")


def paste(page, text):
    """Like a browser on a paste, which asks before it inserts."""
    page.evaluate(
        """text => {
            const data = new DataTransfer()
            data.setData('text/plain', text)
            document.activeElement.dispatchEvent(
                new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true}))
        }""",
        text,
    )


@pytest.fixture
def executed(client, wait_for):
    """Executes the form: the run, and what its script prints."""

    def executed_(page):
        page.get_by_role("button", name="Execute", exact=True).click()
        page.wait_for_url("**/run/*")
        run = wait_for(page.url.rsplit("/", 1)[1])
        return run, client.get(f"/api/runs/{run['id']}/log").text

    return executed_


@pytest.mark.parametrize("way", ["pasted", "typed", "by an address"])
def test_lines_stay_lines(short_form, open_page, sign_in, executed, check_accessibility, way):
    query = f"?env.CONFIG_YAML={quote(LINES)}" if way == "by an address" else ""
    page = sign_in(open_page(f"/execute/{short_form}{query}"))
    box = page.locator("#input-CONFIG_YAML")
    if not query:
        box.focus()
        (paste(page, LINES) if way == "pasted" else page.keyboard.insert_text(LINES))
    expect(page.locator("textarea#input-CONFIG_YAML")).to_have_value(LINES)
    if not query:
        expect(box).to_be_focused()
    page.locator("#reason").focus()
    paste(page, "first\nsecond")
    check_accessibility(page)
    run, printed = executed(page)
    assert (printed, run["reason"]) == (f"{LINES!a}\n", "first\nsecond")


def test_carriage_returns_of_an_earlier_run_stay(server, start, open_run, executed):
    ref = server.add("Returns", "print done", inputs="NOTE: {description: A., type: text}")
    page = open_run(start(ref, env_vars={"NOTE": ODD}))
    page.get_by_role("link", name="Execute again").click()
    expect(page.get_by_text("Contains carriage returns")).to_be_visible()
    assert executed(page)[0]["inputs"]["NOTE"] == {"value": ODD}
