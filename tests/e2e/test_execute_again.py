"""Executing once more what a run executed: with its values, for real, or not at all."""

import re

import pytest
from playwright.sync_api import expect

INPUTS = """\
TARGET: {description: Where., type: string}
NOTE: {description: A remark., type: text, optional: true}
TOKEN: {description: Opens., type: secret, optional: true}
"""
SECRET = "not-to-be-kept-by-anything"


@pytest.fixture
def runbook(server):
    return server.add("Again", "print $TARGET", inputs=INPUTS)


def field(page, name):
    return page.locator(f"#input-{name}")


def again(page):
    return page.get_by_role("link", name="Execute again")


def test_it_opens_with_the_values_of_this_run(runbook, start, open_run, check_accessibility):
    run_id = start(runbook, env_vars={"TARGET": "first", "NOTE": "a\nb", "TOKEN": SECRET})
    start(runbook, env_vars={"TARGET": "second"})
    page = open_run(run_id)
    again(page).click()
    expect(field(page, "TARGET")).to_have_value("first")
    expect(field(page, "NOTE")).to_have_value("a\nb")
    expect(field(page, "TOKEN")).to_have_value("")
    told = page.locator("p").filter(has_text="Values from a run")
    expect(told).to_contain_text("Not stored, enter again: TOKEN")
    expect(told.get_by_role("link")).to_have_attribute("href", f"/run/{run_id}")
    assert "first" not in page.url
    check_accessibility(page)
    # What is typed over them is kept, as in every form.
    field(page, "TARGET").fill("third")
    page.reload()
    expect(field(page, "TARGET")).to_have_value("third")
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page).to_have_url(re.compile("/run/"))
    expect(page.get_by_text("third", exact=True).first).to_be_visible()


def test_what_was_typed_elsewhere_is_not_mixed_with_it(runbook, start, open_page, sign_in):
    run_id = start(runbook, env_vars={"TARGET": "first"})
    page = sign_in(open_page(f"/execute/{runbook}"))
    field(page, "NOTE").fill("of another attempt")
    page.goto(f"/execute/{runbook}?from={run_id}&env.TARGET=linked")
    expect(field(page, "TARGET")).to_have_value("linked")
    expect(field(page, "NOTE")).to_have_value("")


def test_a_dry_run_is_followed_by_the_real_one(runbook, start, open_run, client):
    run_id = start(runbook, env_vars={"TARGET": "dry"}, dry_run=True)
    page = open_run(run_id)
    again(page).click()
    expect(page.get_by_role("checkbox", name="Dry run")).to_be_checked()
    page.go_back()
    page.get_by_role("link", name="Execute for real").click()
    expect(field(page, "TARGET")).to_have_value("dry")
    expect(page.get_by_role("checkbox", name="Dry run")).not_to_be_checked()
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page).to_have_url(re.compile(f"/run/(?!{run_id})"))
    assert not client.get(f"/api/runs/{page.url.rsplit('/', 1)[1]}").json()["dry_run"]


def test_a_text_to_confirm_is_typed_again(start, open_run):
    run_id = start("language/Policy.md", env_vars={"MACHINE": "web1"}, dry_run=True)
    page = open_run(run_id)
    page.get_by_role("link", name="Execute for real").click()
    expect(page.get_by_label("Type drain web1")).to_have_value("")


def test_a_run_that_is_gone_leaves_the_form(runbook, open_page, sign_in, guard):
    guard.allow("404")
    page = sign_in(open_page(f"/execute/{runbook}?from=nothing"))
    expect(page.get_by_text("Couldn't load inputs from run nothing")).to_be_visible()
    expect(field(page, "TARGET")).to_have_value("")


def test_a_runbook_that_is_gone_is_not_executed_again(server, start, open_run, guard):
    ref = server.add("Gone", "true")
    run_id = start(ref)
    (server.runbooks / ref).unlink()
    guard.allow("404")
    page = open_run(run_id)
    expect(page.get_by_text("The runbook was deleted and can't be executed again.")).to_be_visible()
    expect(page.get_by_role("button", name="Execute again")).to_be_disabled()
    expect(page.get_by_role("button", name="Executed document")).to_contain_text(
        "runbook deleted since"
    )
