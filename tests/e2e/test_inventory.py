"""The inventory: its list, a device with its runs, and devices in forms."""

import json
import re

import pytest
from playwright.sync_api import expect

VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "dark"),
    "narrow": ({"width": 320, "height": 640}, "light"),
}
# Controls that are too small for a finger; a link takes the room around it.
SMALL = """() => [...document.querySelectorAll('main button, main select, main .control')]
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44)
    .map(one => one.outerHTML.slice(0, 200))"""
POLL = "print -r -- $ROUTER\nprint -r -- $FLEET"
INPUTS = "ROUTER: {type: device, vendor: MikroTik}\nFLEET: {type: devices}"
DEVICES = {
    "edge-1": {"address": "192.0.2.1", "vendor": "MikroTik", "version": "7.18", "site": "fra",
               "tags": ["core", "edge"], "last_seen": "2026-01-31T08:00:00Z",
               "last_backup": "2026-01-31T08:00:00Z", "last_proof": "2026-01-30T08:00:00Z",
               "facts": {"board": "CCR2004", "cpu": {"load": 3}}},
    "edge-2": {"address": "192.0.2.2", "vendor": "MikroTik", "site": "ber", "groups": ["pilot"],
               "last_backup": "2026-01-29T08:00:00Z", "last_damage": "2026-01-31T08:00:00Z"},
    "switch": {"address": "192.0.2.3", "vendor": "Other", "site": "ber"},
}  # fmt: skip


@pytest.fixture
def own_server(integration, tmp_path):
    with integration.running(tmp_path) as server:
        yield server


@pytest.fixture
def admin(own_server):
    with own_server.client("dev-admin", roles=("admin",)) as client:
        yield client


@pytest.fixture
def look(picture, check_accessibility):
    """Looks at the page in every view."""

    def look_(page, name):
        for view, (viewport, scheme) in VIEWS.items():
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=scheme)
            expect(page.locator(f".v-theme--{scheme}").first).to_be_attached()
            picture(page, f"inventory-{name}-{view}")
            check_accessibility(page)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.set_viewport_size(VIEWS["light"][0])

    return look_


def follow_a_tag(page):
    """It leads to all devices that have it, whatever was searched for."""
    page.get_by_role("searchbox").fill("edge-1")
    page.get_by_label("Filter by site").select_option("")
    page.get_by_role("region", name="List of devices").get_by_role("link", name="core").click()
    expect(page.get_by_role("searchbox")).to_have_value("")
    expect(page).to_have_url(re.compile(r"/inventory\?tag=core$"))


def test_a_device_is_found_and_a_runbook_executed_for_it(
    own_server, admin, open_page, sign_in, look
):
    own_server.add("Poll", POLL, inputs=INPUTS)
    page = sign_in(open_page("/runs", at=own_server), "admin")
    expect(page.get_by_role("link", name="Inventory", exact=True)).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("i")
    expect(page.get_by_text("runbook lab up")).to_be_visible()
    look(page, "none")
    for name, fields in DEVICES.items():
        assert admin.put(f"/api/inventory/{name}", json=fields).status_code == 200
    page.reload()
    rows = page.get_by_role("region", name="List of devices").get_by_role("row")
    expect(rows).to_have_count(4)
    look(page, "list")
    page.get_by_role("button", name="Backup proven").click()
    for at, proof in enumerate(("Damaged", "No backup", "Proven"), start=1):
        expect(rows.nth(at)).to_contain_text(proof)
    page.get_by_label("Filter by site").select_option("ber")
    expect(rows).to_have_count(3)
    page.keyboard.press("/")
    page.keyboard.type("192.0.2.2")
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile(r"sort=last_proof.*site=ber.*q=192"))
    follow_a_tag(page)
    page.get_by_role("searchbox").fill("none")
    page.get_by_role("button", name="Show all devices").click()
    page.get_by_role("link", name="edge-1", exact=True).click()
    expect(page.get_by_role("heading", name="edge-1", exact=True)).to_be_visible()
    expect(page.get_by_text("load: 3")).to_be_visible()
    expect(page.get_by_text("No runs for this device that you can see.")).to_be_visible()
    look(page, "device")
    page.get_by_role("link", name="Poll", exact=True).click()
    router = page.get_by_role("combobox", name="ROUTER")
    expect(router).to_have_value("edge-1")
    expect(page.locator("#input-ROUTER-found")).to_have_text("MikroTik, 192.0.2.1, fra")
    # Those that fit are suggested while somebody types.
    router.fill("edge")
    expect(page.locator("datalist option")).to_have_count(2)
    router.fill("edge-2")
    add = page.get_by_label("Add to FLEET")
    add.select_option("core (1)")
    add.select_option("switch")
    expect(page.get_by_role("textbox", name="FLEET")).to_have_value("tag:core, switch")
    look(page, "form")
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page).to_have_url(re.compile("/run/"))
    expect(
        page.get_by_text(json.dumps(["edge-1", "switch"], separators=(",", ":"))).first
    ).to_be_visible()
    details = page.get_by_role("complementary", name="Run details")
    expect(details.get_by_role("link", name=re.compile("edge|switch"))).to_have_count(3)
    details.get_by_role("link", name="switch", exact=True).click()
    runs = page.get_by_role("region", name="Runs")
    expect(runs.get_by_role("link", name="Poll")).to_be_visible()
    expect(runs.get_by_text("Succeeded")).to_be_visible()


def test_a_phone_has_room_for_fingers(own_server, admin, open_page, sign_in):
    admin.put("/api/inventory/edge-1", json=DEVICES["edge-1"])
    own_server.add("Poll", POLL, inputs=INPUTS)
    phone = {"viewport": {"width": 390, "height": 844}, "at": own_server, "touch": True}
    page = sign_in(open_page("/inventory", **phone), "viewer")
    expect(page.get_by_role("link", name="edge-1", exact=True)).to_be_visible()
    assert page.evaluate(SMALL) == []
    page.goto("/execute/Poll.md")
    expect(page.get_by_label("Add to FLEET")).to_be_visible()
    assert page.evaluate(SMALL) == []
