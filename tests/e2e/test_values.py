"""Long inputs and outputs of a run can be read whole."""

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("width", [1280, 390])
def test_a_long_output_is_shown_whole_on_request(
    server, start, open_run, width, picture, check_accessibility
):
    text = " ".join(f"word{n}" for n in range(200))
    script = f"print 'report={text}' >> $RUNBOOK_OUTPUT; print short=x >> $RUNBOOK_OUTPUT"
    run_id = start(server.add("Wordy", script))
    page = open_run(run_id, viewport={"width": width, "height": 800})
    value = page.get_by_text("word0 word1 ")
    expect(value).to_be_visible()
    toggle = page.get_by_role("button", name="Show all of report")
    low = value.bounding_box()["height"]
    toggle.press("Enter")
    page.get_by_role("button", name="Show less of report").wait_for()
    assert value.bounding_box()["height"] > low
    assert value.evaluate("box => box.scrollHeight - box.clientHeight") <= 1
    picture(page, f"run-values-{width}")
    check_accessibility(page)
    page.get_by_role("button", name="Show less of report").press("Enter")
    expect(toggle).to_be_visible()
    assert value.bounding_box()["height"] == low
    expect(page.get_by_role("button", name="of short")).to_have_count(0)
