"""The form that executes a runbook where things are hard: a small phone, many inputs, haste."""

import re

import pytest
from playwright.sync_api import expect

SMALL = {"width": 320, "height": 640}
LONG = "a-choice-whose-name-goes-on-and-on-" * 4
CHOICES = ", ".join(f"{LONG}{n}" for n in range(15))
LONG_NAME = "THE_NAME_OF_AN_INPUT_THAT_GOES_ON_FOR_LONGER_THAN_A_PHONE_IS_WIDE"
INPUTS = f"""\
{LONG_NAME}:
  description: Long.
  type: string
  default: x
PLACE:
  description: Where.
  type: choice
  choices: [{CHOICES}]
  default: {LONG}3
PARTS:
  description: What.
  type: multichoice
  choices: [{CHOICES}]
  default: {LONG}1
KEY:
  description: Secret.
  type: secret
  optional: true
PLAN:
  description: A file.
  type: file
  optional: true
SURE:
  description: Whether.
  type: boolean
  optional: true
TEXT:
  description: Several lines.
  type: text
  optional: true
""" + "\n".join(
    f"INPUT_{n}:\n  description: One of many.\n  type: string\n  optional: true" for n in range(12)
)
# Whether bars of the page hide the element that has the focus, or the label that stands for it.
HIDDEN = """() => {
    const focused = document.activeElement
    const shown = focused.type === 'radio' ? focused.parentElement : focused
    const box = shown.getBoundingClientRect()
    const points = [0.5, 0.95].map((part) => [box.left + 12, box.top + box.height * part])
    return points.filter(([x, y]) => {
        const there = document.elementFromPoint(x, y)
        return !(there && (shown.contains(there) || there.contains(shown)))
    }).length ? `${focused.id || focused.outerHTML} at ${box.top} to ${box.bottom}` : null
}"""


@pytest.fixture
def many(server, open_page, sign_in):
    """The form of a runbook with many inputs, on a small phone."""
    ref = server.add("Many", 'print "done"', inputs=INPUTS)
    page = sign_in(open_page(f"/execute/{ref}", viewport=SMALL))
    page.locator("#input-INPUT_11").wait_for()
    return page


def field(page, name):
    return page.locator(f"#input-{name}")


def execute_button(page):
    return page.get_by_role("button", name="Execute", exact=True)


def test_long_names_and_choices_fit_a_small_phone(many, picture):
    assert many.evaluate("document.documentElement.scrollWidth <= innerWidth")
    form = many.locator(".execute-form")
    assert form.evaluate("form => form.scrollWidth <= form.clientWidth")
    # The closed list cuts what is chosen.
    expect(many.locator("#input-PLACE ~ .whole")).to_have_text(f"{LONG}3")
    picture(many, "execute-small")
    field(many, "PARTS").scroll_into_view_if_needed()
    picture(many, "execute-small-choices")


def test_nothing_with_the_focus_is_behind_a_bar(many):
    field(many, LONG_NAME).focus()
    for key in ("Tab", "Shift+Tab"):
        stops = 0
        while many.evaluate(
            "document.querySelector('.execute-form').contains(document.activeElement)"
        ):
            if not many.evaluate("document.activeElement.closest('.actions') !== null"):
                assert many.evaluate(HIDDEN) is None
            many.keyboard.press(key)
            stops += 1
        assert stops > 40
        execute_button(many).focus()


def test_a_touched_field_comes_out_from_behind_the_bar(many):
    """A tap on the visible half of a field gives it the focus, and the browser scrolls for none."""
    target = field(many, "INPUT_3")
    bar = many.locator(".execute-form .actions").bounding_box()
    box = target.bounding_box()
    many.evaluate("by => scrollBy(0, by)", box["y"] + box["height"] / 2 - bar["y"])
    x, y = box["x"] + 20, bar["y"] - 5
    many.mouse.click(x, y)
    expect(target).to_be_focused()
    many.wait_for_function(f"() => ({HIDDEN})() === null")


def test_the_last_line_of_a_growing_text_stays_in_view(many, eventually):
    target = field(many, "TEXT")
    target.focus()
    for n in range(12):
        many.keyboard.type(f"line {n}")
        many.keyboard.press("Enter")

    def is_above_bar():
        bar = many.locator(".execute-form .actions").bounding_box()
        box = target.bounding_box()
        return box["y"] + box["height"] <= bar["y"]

    eventually(is_above_bar)


def test_a_low_window_is_for_the_fields(many):
    """The keys of a phone, or the phone on its side, leave little height."""
    many.set_viewport_size({"width": 640, "height": 320})
    expect(many.locator(".execute-form .actions")).to_have_css("position", "static")


def test_enter_in_the_search_of_choices_starts_nothing(many):
    search = many.get_by_role("searchbox", name="Search choices for PARTS")
    search.fill("on-and-on-")
    started = []
    many.on("request", lambda request: started.append(request.method))
    search.press("Enter")
    expect(search).to_be_focused()
    field(many, "INPUT_0").fill("typed since")
    assert not {"PATCH", "POST"} & set(started)


def test_two_clicks_start_one_run(many, client):
    def count():
        return len(client.get("/api/runs?runbook=Many.md").json()["runs"])

    before = count()
    execute_button(many).dblclick()
    expect(many.get_by_text("Succeeded", exact=True)).to_be_visible()
    assert count() == before + 1


def test_a_problem_of_the_whole_is_brought_into_view(many, guard):
    guard.allow("400")
    report = (
        '{"success": false, "problems": [{"code": "x", "message": "Too many things", '
        '"params": {}, "severity": "error", "line": null, "hint": "Give fewer"}]}'
    )
    many.route("**/validate", lambda route: route.fulfill(status=400, body=report))
    execute_button(many).click()
    expect(many.get_by_text("Too many things. Give fewer")).to_be_in_viewport()


def test_an_invalid_runbook_says_what_is_wrong(server, open_page, sign_in, check_accessibility):
    path = server.runbooks / "Broken.md"
    path.write_text("# Broken\n\n# Environment Requirements\n\n```yaml\nA: [\n```\n\n# Script\n")
    page = sign_in(open_page("/execute/Broken.md"))
    expect(page.get_by_text("can't be executed until its file is fixed")).to_be_visible()
    problems = page.get_by_role("alert")
    expect(problems).to_contain_text(re.compile(r"\(line \d+\)"))
    # What is missing has no line.
    expect(problems).not_to_contain_text("(line )")
    expect(execute_button(page)).to_be_disabled()
    check_accessibility(page)


def test_missing_claims_say_what_to_do(open_page, sign_in):
    page = sign_in(open_page("/execute/RestrictedRunbook.md", viewport=SMALL))
    expect(page.get_by_text("Requires team=platform; environment=")).to_be_visible()
    expect(page.get_by_text("Ask an administrator for access, or sign in as")).to_be_visible()
    expect(execute_button(page)).to_be_disabled()
