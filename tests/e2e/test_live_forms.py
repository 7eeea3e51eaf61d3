"""Live forms: tables of rows, choices that depend on other values, and pages with a review."""

import json
import re

import pytest
from playwright.sync_api import expect

MACHINE = "/execute/language/Machine.md"
PHONE = {"width": 390, "height": 844}
SOURCE_INPUTS = "POOL: {description: a, type: string}"
FRAIL = """\
POOL: {description: The pool., type: string, optional: true}
VOLUME:
  description: The volume.
  type: choice
  choices_from: {runbook: live/Frail.md, inputs: [POOL], ttl: 60s}
"""
POLICY = "# Policy\n\n```yaml\nprovides: choices\n```\n\n"


@pytest.fixture
def open_form(open_page, sign_in):
    return lambda path=MACHINE, **options: sign_in(open_page(path, **options))


def field(page, name):
    return page.locator(f"#input-{name}")


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def offers(page, name, value):
    expect(field(page, name).locator(f"option[value={value}]")).to_be_attached()


def fill_place(page, zone="n2"):
    field(page, "REGION").select_option("north")
    offers(page, "ZONE", zone)
    field(page, "ZONE").select_option(zone)


def run_of(page, client):
    expect(page).to_have_url(re.compile("/run/"))
    return client.get(f"/api/runs/{page.url.rsplit('/', 1)[1]}").json()


def test_rows_and_live_choices_reach_the_run_as_entered(
    open_form, client, wait_for, check_accessibility, picture
):
    page = open_form(f"{MACHINE}?page=all")
    expect(page.get_by_text("Fill in REGION first.").first).to_be_visible()
    fill_place(page)
    expect(field(page, "ADDRESS")).to_have_count(0)
    expect(field(page, "NICS-0-NETWORK")).to_have_value("lan")
    expect(page.get_by_text("Office network of n2").last).to_be_attached()
    press(page, "Add row")
    expect(field(page, "NICS-1-NETWORK")).to_be_focused()
    offers(page, "NICS-1-NETWORK", "dmz")
    field(page, "NICS-1-NETWORK").select_option("dmz")
    field(page, "NICS-1-MODEL").select_option("e1000")
    expect(field(page, "NICS-1-QUEUES")).to_have_count(0)
    field(page, "NICS-1-VLAN").fill("12")
    press(page, "Duplicate row 2")
    press(page, "Move row 2 up")
    expect(field(page, "NICS-0-VLAN")).to_have_value("12")
    press(page, "Remove row 2")
    check_accessibility(page)
    picture(page, "live-form")
    press(page, "Execute")
    run = wait_for(run_of(page, client)["id"])
    dmz = {"NETWORK": "dmz", "VLAN": 12, "MODEL": "e1000"}
    assert json.loads(run["inputs"]["NICS"]["value"]) == [dmz, dmz]
    assert "ADDRESS" not in run["inputs"]
    rows = page.get_by_role("region", name="Rows of NICS")
    expect(rows.get_by_role("row")).to_have_count(3)
    expect(rows.get_by_role("row").last).to_have_text(re.compile("dmz.*12.*e1000"))

    page.goto(f"{MACHINE}?from={run['id']}&page=all")
    expect(field(page, "NICS-1-VLAN")).to_have_value("12")
    field(page, "REGION").select_option("south")
    expect(page.get_by_text("n2 can’t be chosen now. Choose another value.")).to_be_visible()
    expect(field(page, "ZONE")).to_have_value("n2")


def test_what_the_server_says_is_at_the_cell(open_form):
    page = open_form(f"{MACHINE}?page=all")
    fill_place(page)
    message = "NICS[1].VLAN must be odd: '12'"
    problem = {
        "code": "bad_input_value",
        "severity": "error",
        "message": message,
        "params": {"variable": "NICS", "row": 1, "field": "VLAN"},
        "line": None,
        "hint": None,
    }
    report = {"success": False, "problems": [problem], "errors": [message], "warnings": []}
    page.route("**/validate", lambda route: route.fulfill(status=200, json=report))
    press(page, "Duplicate row 1")
    field(page, "NICS-1-VLAN").fill("12")
    press(page, "Execute")
    expect(page.locator("#input-NICS-1-VLAN-error")).to_have_text("VLAN must be odd: '12'")
    expect(field(page, "NICS-1-VLAN")).to_be_focused()
    field(page, "NICS-1-VLAN").fill("13")
    expect(page.locator("#input-NICS-1-VLAN-error")).to_have_count(0)


def test_a_source_that_fails_lets_people_type_and_try_again(server, open_form):
    script = 'if [[ $POOL == bad ]]; then print -u2 "no such pool"; exit 3; fi; print v-$POOL'
    path = server.runbooks / server.add("live/Frail", script, inputs=SOURCE_INPUTS)
    path.write_text(path.read_text().replace("# Script", f"{POLICY}# Script"))
    ref = server.add("live/Uses", 'print "$VOLUME"', inputs=FRAIL)
    page = open_form(f"/execute/{ref}")
    field(page, "POOL").fill("bad")
    expect(page.get_by_text("no such pool")).to_be_visible()
    field(page, "VOLUME").fill("mine")
    field(page, "POOL").fill("good")
    page.get_by_role("button", name="Choose from the list").click()
    offers(page, "VOLUME", "v-good")
    expect(field(page, "VOLUME")).to_have_value("mine")
    expect(page.get_by_text("mine is not among the choices.")).to_be_visible()
    press(page, "Execute")
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible()


def test_pages_and_review_on_a_phone(open_form, client, wait_for, check_accessibility, picture):
    page = open_form(viewport=PHONE, touch=True)
    press(page, "Next")
    expect(field(page, "REGION")).to_be_focused()
    steps = page.get_by_role("navigation", name="Pages of the form")
    expect(steps.get_by_role("button", name="Place")).to_have_text(re.compile("2 errors"))
    fill_place(page)
    field(page, "ZONE").press("Enter")
    press(page, "Next")
    expect(page.get_by_role("heading", name="Network")).to_be_focused()
    field(page, "ADDRESSING").select_option("static")
    press(page, "Review")
    expect(field(page, "ADDRESS")).to_be_focused()
    field(page, "ADDRESS").fill("192.0.2.5/24")
    check_accessibility(page)
    picture(page, "live-form-phone")
    heights = "all => all.map(button => button.offsetHeight)"
    shown = [high for high in page.locator("form button").evaluate_all(heights) if high]
    assert min(shown) >= 44
    field(page, "ADDRESS").press("Enter")
    expect(page.get_by_role("heading", name="Review")).to_be_focused()
    expect(page.get_by_text("192.0.2.5/24")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Review", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Rows of Interfaces")).to_contain_text("lan")
    check_accessibility(page)
    picture(page, "live-form-review-phone")
    page.get_by_label("Dry run").check()
    press(page, "Execute as a dry run")
    assert wait_for(run_of(page, client)["id"])["dry_run"]
    page.go_back()
    expect(page.get_by_text("192.0.2.5/24")).to_be_visible()
    press(page, "Execute")
    run = wait_for(run_of(page, client)["id"])
    assert run["inputs"]["ADDRESS"]["value"] == "192.0.2.5/24"
    page.go_back()
    expect(field(page, "REGION")).to_have_value("")
    expect(page.locator("form .fault:not(:empty), form .faulty")).to_have_count(0)
