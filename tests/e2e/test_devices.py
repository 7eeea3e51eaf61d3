"""Adding, importing, editing and removing devices in the browser."""

import re

import pytest
from playwright.sync_api import expect

# Controls that are too small for a finger; a link takes the room around it.
SMALL = """() => [...document.querySelectorAll('main button, main select, main .control')]
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44)
    .map(one => one.outerHTML.slice(0, 200))"""
CONNECTION = {
    "name": "routers",
    "kind": "routeros",
    "values": {"host": "192.0.2.254", "username": "runbook", "password": "s3cret-of-the-lab"},
}
BAD = 'name;site;tags\nedge-1;"fra, ber";core\nEdge 2;fra;\nedge-3;fra;\n'
GOOD = "name;site;tags\nedge-1;fra;core,new\nedge-2;fra;\nedge-3;fra;\n"


@pytest.fixture
def own_server(integration, tmp_path):
    with integration.running(tmp_path) as server:
        yield server


@pytest.fixture
def admin(own_server):
    with own_server.client("dev-admin", roles=("admin",)) as client:
        client.post("/api/connections", json=CONNECTION)
        yield client


def field(page, name):
    return page.locator(f"#input-{name}")


def add(page, admin, guard, look):
    page.get_by_role("link", name="Add device").click()
    submit = page.get_by_role("button", name="Add device")
    submit.click()
    expect(field(page, "name")).to_be_focused()
    field(page, "name").fill("Edge 1")
    field(page, "connection").select_option("routers")
    field(page, "address").fill("192.0.2.1")
    field(page, "tags").fill("core, no spaces please")
    # What only the server knows is told at its field.
    guard.allow("422")
    submit.click()
    expect(page.locator(".field.faulty")).to_have_count(2)
    look(page, "device-form")
    field(page, "name").fill("edge-1")
    field(page, "tags").fill("core, edge")
    submit.click()
    expect(page).to_have_url(re.compile("/device/edge-1$"))
    kept = admin.get("/api/inventory/edge-1").json()
    assert (kept["connection"], kept["tags"]) == ("routers", ["core", "edge"])


def import_table(page, look):
    page.goto("/inventory/import")
    table = page.get_by_label("Table (CSV)")
    table.fill(BAD)
    page.get_by_role("button", name="Preview").click()
    mistakes = page.get_by_role("group", name="Mistakes")
    expect(mistakes.get_by_role("listitem")).to_have_count(2)
    expect(mistakes.get_by_role("listitem").first).to_contain_text("site")
    look(page, "import-mistakes")
    mistakes.get_by_role("button", name="Go to line 3").click()
    selected = "one => one.value.slice(one.selectionStart, one.selectionEnd)"
    assert table.evaluate(selected) == "Edge 2;fra;"
    table.fill(GOOD)
    expect(mistakes).to_have_count(0)
    page.get_by_role("button", name="Preview").click()
    changes = page.get_by_role("region", name="Changes").get_by_role("row")
    expect(changes).to_have_count(4)
    expect(changes.filter(has_text="edge-1")).to_contain_text("core, edge")
    expect(changes.filter(has_text="edge-1")).to_contain_text("core, new")
    look(page, "import-preview")
    page.get_by_role("button", name="Import 3 changes").click()
    expect(page.get_by_text("Imported: 2 new devices, 1 changed")).to_be_visible()
    page.get_by_role("link", name="Show the inventory").click()
    rows = page.get_by_role("region", name="List of devices").get_by_role("row")
    expect(rows).to_have_count(4)
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    assert download.value.path().read_text().startswith("name,connection,address")


def edit(page, admin, guard):
    page.get_by_role("link", name="edge-1", exact=True).click()
    page.get_by_role("link", name="Edit").click()
    expect(field(page, "connection")).to_have_value("routers")
    field(page, "role").fill("router")
    # Somebody else has changed it meanwhile.
    admin.patch("/api/inventory/edge-1", json={"site": "ber"})
    save = page.get_by_role("button", name="Save changes")
    guard.allow("409")
    save.click()
    page.get_by_role("button", name="Discard my changes and reload").click()
    expect(field(page, "site")).to_have_value("ber")
    field(page, "role").fill("router")
    save.click()
    expect(page.get_by_role("heading", name="edge-1", exact=True)).to_be_visible()
    kept = admin.get("/api/inventory/edge-1").json()
    assert (kept["role"], kept["site"]) == ("router", "ber")


def test_devices_are_added_imported_edited_and_removed(
    own_server, admin, open_page, sign_in, guard, look
):
    page = sign_in(open_page("/inventory", at=own_server), "admin")
    add(page, admin, guard, look)
    import_table(page, look)
    edit(page, admin, guard)
    page.get_by_role("button", name="Remove").click()
    page.locator("#confirm").fill("edge-1")
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("region", name="List of devices").get_by_role("row")).to_have_count(3)
    assert admin.get("/api/inventory/edge-1").status_code == 404

    phone = {"viewport": {"width": 390, "height": 844}, "at": own_server, "touch": True}
    page = sign_in(open_page("/inventory/new", **phone), "admin")
    expect(field(page, "name")).to_be_visible()
    assert page.evaluate(SMALL) == []
    page.goto("/inventory/import")
    page.get_by_label("Table (CSV)").fill(BAD)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("group", name="Mistakes")).to_be_visible()
    assert page.evaluate(SMALL) == []
