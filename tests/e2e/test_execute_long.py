"""A long form: where its faults are, the order of its fields, and what it is about."""

import pytest
from playwright.sync_api import expect

PHONE = {"width": 390, "height": 844}
INPUTS = "\n".join(
    f"FIELD_{n}: {{description: One of many., type: {'integer' if n == 20 else 'string'}}}"
    for n in range(1, 31)
)
PLACED = """\
FIRST: {description: a, type: string, optional: true, group: Where}
SECOND: {description: b, type: string, optional: true, group: Where}
BETWEEN: {description: c, type: string, optional: true}
THIRD: {description: d, type: string, optional: true, group: When}
LAST: {description: e, type: string, optional: true}
"""
ABOUT = "It calls `systemctl` on **each** host. " + "And then it goes on about that. " * 20


@pytest.fixture
def open_form(open_page, sign_in):
    return lambda ref, **options: sign_in(open_page(f"/execute/{ref}", **options))


def field(page, name):
    return page.locator(f"#input-{name}")


def test_the_faults_are_counted_beside_the_button(server, open_form, check_accessibility):
    page = open_form(server.add("Long", "true", inputs=INPUTS))
    for n in range(1, 31):
        if n not in (3, 7):
            field(page, f"FIELD_{n}").fill("x")
    count = page.get_by_role("button", name="need attention").or_(
        page.get_by_role("button", name="needs attention")
    )
    expect(count).to_have_text("1 field needs attention")
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(count).to_have_text("3 fields need attention")
    expect(page.locator("#input-FIELD_3-error")).to_have_text("FIELD_3 is required")
    check_accessibility(page)
    field(page, "FIELD_30").focus()
    count.press("Enter")
    expect(field(page, "FIELD_3")).to_be_focused()
    expect(field(page, "FIELD_3")).to_be_in_viewport()
    for n in (3, 7, 20):
        field(page, f"FIELD_{n}").fill("1")
    expect(count).to_have_count(0)


def test_an_input_without_a_group_keeps_its_place(server, open_form, picture):
    page = open_form(server.add("Placed", "true", inputs=PLACED))
    expect(field(page, "LAST")).to_be_visible()
    names = page.locator("[id^=input-][id$=-label]").all_text_contents()
    assert names == ["FIRST", "SECOND", "BETWEEN", "THIRD", "LAST"]
    expect(page.get_by_role("group", name="Where").locator(".control")).to_have_count(2)
    expect(page.get_by_role("group", name="When").locator(".control")).to_have_count(1)
    picture(page, "execute-groups")


def described(server):
    path = server.runbooks / server.add("About", "true")
    path.write_text(path.read_text().replace("# About\n", f"# About\n\n{ABOUT}\n", 1))
    return "About.md"


def test_what_it_is_about_reads_as_markdown(server, open_form, picture, check_accessibility):
    page = open_form(described(server))
    beside = page.get_by_role("complementary", name="About this run")
    expect(beside.locator("code").first).to_have_text("systemctl")
    expect(beside.locator("strong").first).to_have_text("each")
    expect(page.get_by_role("button", name="Show more", exact=True)).to_have_count(0)
    phone = open_form("About.md", viewport=PHONE)
    about = phone.locator(".page-header code").locator("xpath=ancestor::*[@id='about']")
    more = phone.get_by_role("button", name="Show more", exact=True)
    expect(more).to_have_attribute("aria-expanded", "false")
    low = about.bounding_box()["height"]
    picture(phone, "execute-about-phone")
    check_accessibility(phone)
    more.click()
    less = phone.get_by_role("button", name="Show less", exact=True)
    expect(less).to_have_attribute("aria-expanded", "true")
    assert about.bounding_box()["height"] > low * 2


def test_a_secret_that_the_server_has_is_said_to_be_there(server, open_form):
    page = open_form("language/Secrets.md")
    row = (
        page.locator(".field")
        .filter(has_text="SAMPLE_INVENTORY_TOKEN")
        .or_(page.locator(".field").filter(has_text="from the server's environment"))
    )
    expect(row.first).to_contain_text("from the server's environment")
