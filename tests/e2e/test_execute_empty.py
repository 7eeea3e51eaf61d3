"""The form that executes a runbook, and texts that are empty on purpose."""

import re

import pytest
from playwright.sync_api import expect

INPUTS = """\
SHORT: A value of the short form.
NAME:
  description: It has to have a name.
  type: string
NOTE:
  description: A remark.
  type: text
  optional: true
COLOUR:
  description: Red, unless it is another one or none.
  type: string
  optional: true
  default: red
TOKEN:
  description: Opens the door.
  type: secret
  optional: true"""
SCRIPT = """
print -r -- "short [$SHORT] note [${NOTE-unset}] colour [$COLOUR] token [${TOKEN-unset}]"
"""
PATH = "/execute/Empties.md"


@pytest.fixture(autouse=True)
def runbook(server):
    server.add("Empties", SCRIPT, inputs=INPUTS)


@pytest.fixture
def open_form(open_page, sign_in):
    return lambda query="": sign_in(open_page(f"{PATH}{query}"))


def field(page, name):
    return page.locator(f"#input-{name}")


def fault(page, name):
    return page.locator(f"#input-{name}-error")


def box(page, name):
    row = page.locator(".field", has=field(page, name))
    return row.get_by_role("checkbox", name="Use an empty value", exact=True)


def execute(page):
    page.get_by_role("button", name="Execute", exact=True).click()


def expect_output(page, text):
    expect(page).to_have_url(re.compile("/run/"))
    expect(page.get_by_text(text, exact=True)).to_be_visible()


def test_what_is_left_empty_is_not_given(open_form):
    page = open_form()
    field(page, "SHORT").fill("a")
    field(page, "NAME").fill("web1")
    field(page, "COLOUR").fill("")
    execute(page)
    expect_output(page, "short [a] note [unset] colour [red] token [unset]")


def test_an_empty_text_is_given_on_purpose_by_keys(open_form, check_accessibility):
    page = open_form()
    field(page, "NAME").fill("web1")
    expect(box(page, "NAME")).to_have_count(0)
    execute(page)
    expect(fault(page, "SHORT")).to_have_text(
        "SHORT is required. Enter a value, or check “Use an empty value”"
    )
    expect(field(page, "SHORT")).to_be_focused()
    page.keyboard.press("Tab")
    expect(box(page, "SHORT")).to_be_focused()
    page.keyboard.press("Space")
    expect(fault(page, "SHORT")).to_have_count(0)
    field(page, "COLOUR").fill("")
    for name in ("NOTE", "COLOUR", "TOKEN"):
        box(page, name).check()
    check_accessibility(page)
    execute(page)
    expect_output(page, "short [] note [] colour [] token []")


def test_the_box_is_there_while_the_field_is_empty(open_form):
    page = open_form()
    box(page, "NOTE").check()
    field(page, "NOTE").fill("x")
    expect(box(page, "NOTE")).to_have_count(0)
    field(page, "NOTE").fill("")
    expect(box(page, "NOTE")).not_to_be_checked()


def test_the_draft_keeps_it_but_of_no_secret(open_form):
    page = open_form()
    box(page, "NOTE").check()
    box(page, "TOKEN").check()
    page.reload()
    expect(box(page, "NOTE")).to_be_checked()
    expect(box(page, "SHORT")).not_to_be_checked()
    expect(box(page, "TOKEN")).not_to_be_checked()
    box(page, "NOTE").uncheck()
    page.reload()
    expect(box(page, "NOTE")).not_to_be_checked()


def test_an_address_gives_it_on_purpose(open_form):
    page = open_form("?env.SHORT=&env.NOTE=&env.NAME=web1&env.COLOUR=")
    for name in ("SHORT", "NOTE", "COLOUR"):
        expect(box(page, name)).to_be_checked()
    # What was done to it since comes before the address.
    box(page, "NOTE").uncheck()
    page.reload()
    expect(box(page, "SHORT")).to_be_checked()
    expect(box(page, "NOTE")).not_to_be_checked()
    execute(page)
    expect_output(page, "short [] note [unset] colour [] token [unset]")


def test_the_values_of_the_last_time(open_form, start):
    start("Empties.md", env_vars={"SHORT": "a", "NAME": "web1", "NOTE": ""})
    page = open_form()
    field(page, "SHORT").fill("typed")
    box(page, "TOKEN").check()
    page.get_by_role("button", name="Reuse last values").click()
    expect(field(page, "NAME")).to_have_value("web1")
    expect(box(page, "NOTE")).to_be_checked()
    expect(field(page, "COLOUR")).to_have_value("red")
    # No run keeps a value of the short form: what was typed stays.
    expect(field(page, "SHORT")).to_have_value("typed")
    expect(page.get_by_text("enter again: SHORT")).to_be_visible()
