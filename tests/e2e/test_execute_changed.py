"""A runbook that is changed while its form is open: what was read is what runs."""

import re

import pytest
from playwright.sync_api import expect

INPUTS = """\
TARGET: {description: Where., type: string}
PORT: {description: Which., type: integer, default: "1"}
"""
NEW = INPUTS.replace('"1"', '"2"') + "NEWVAR: {description: It was added., type: string}\n"


@pytest.fixture
def edit(server):
    """Writes the runbook again; its name begins anew with each test."""
    return lambda name, script="true", inputs=INPUTS: server.add(name, script, inputs=inputs)


@pytest.fixture
def open_form(open_page, sign_in, guard):
    guard.allow("409")
    return lambda ref, **options: sign_in(open_page(f"/execute/{ref}", **options))


def field(page, name):
    return page.locator(f"#input-{name}")


def execute(page):
    page.get_by_role("button", name="Execute", exact=True).click()


def change(page):
    return page.get_by_role("region", name="Changes")


def run_of(page, client):
    expect(page).to_have_url(re.compile("/run/"))
    return client.get(f"/api/runs/{page.url.rsplit('/', 1)[1]}").json()


def test_an_input_that_was_added_meanwhile_appears(edit, open_form, client, check_accessibility):
    page = open_form(edit("Added"))
    field(page, "TARGET").fill("web1")
    edit("Added", inputs=NEW)
    execute(page)
    expect(page.get_by_text("The runbook changed after you opened this form")).to_be_visible()
    expect(change(page)).to_contain_text("+NEWVAR")
    expect(field(page, "NEWVAR")).to_have_value("")
    expect(field(page, "TARGET")).to_have_value("web1")
    expect(field(page, "PORT")).to_have_value("2")
    check_accessibility(page)
    execute(page)
    expect(field(page, "NEWVAR")).to_be_focused()
    field(page, "NEWVAR").fill("new")
    execute(page)
    values = {name: given["value"] for name, given in run_of(page, client)["inputs"].items()}
    assert values == {"TARGET": "web1", "PORT": "2", "NEWVAR": "new"}


def test_a_changed_script_is_not_run_unread(edit, open_form, client, wait_for):
    page = open_form(edit("Unread", "print before"))
    field(page, "TARGET").fill("web1")
    edit("Unread", "print after")
    execute(page)
    expect(change(page)).to_contain_text("-print before")
    expect(change(page)).to_contain_text("+print after")
    assert client.get("/api/runs", params={"runbook": "Unread.md"}).json()["runs"] == []
    execute(page)
    run = wait_for(run_of(page, client)["id"])
    assert run["success"]
    assert client.get(f"/api/runs/{run['id']}/log").text == "after\n"


def test_what_was_read_on_the_runbooks_page_is_what_runs(edit, open_page, sign_in, guard):
    guard.allow("409")
    page = sign_in(open_page(f"/runbook/{edit('Told', 'print before')}"))
    expect(page.get_by_text("print before")).to_be_visible()
    edit("Told", "print after")
    page.get_by_role("link", name="Execute", exact=True).click()
    field(page, "TARGET").fill("web1")
    execute(page)
    expect(change(page)).to_contain_text("+print after")
    expect(page).to_have_url(re.compile("/execute/"))


def test_what_the_history_gained_is_no_change(edit, open_form, start, wait_for):
    page = open_form(edit("Grown"))
    field(page, "TARGET").fill("web1")
    start("Grown.md", env_vars={"TARGET": "other"})
    execute(page)
    expect(page).to_have_url(re.compile("/run/"))
