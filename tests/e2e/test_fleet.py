"""The table of the devices that a run works on: live, paused, filtered."""

import re

import pytest
from playwright.sync_api import expect

VIEWS = {
    "light": ({"width": 1280, "height": 800}, "light"),
    "dark": ({"width": 1280, "height": 800}, "dark"),
    "phone": ({"width": 390, "height": 844}, "dark"),
    "narrow": ({"width": 320, "height": 640}, "light"),
}
CHILD = """
runbook progress 40 "Reading $ROUTER"
[[ $ROUTER == bad ]] && {{ print -u2 "no answer"; exit 1 }}
until [[ -e {gate} ]]; do sleep 0.02; done
"""
FLEET = "runbook fanout Poll.md --over FLEET --parallel 2"
NAMES = ["bad", "edge-1", "edge-2", "edge-3"]


@pytest.fixture
def own_server(integration, tmp_path):
    with integration.running(tmp_path) as server:
        yield server


@pytest.fixture
def fleet(own_server):
    """A run that works on four devices, two at once, until there is a gate; its id and the gate."""
    gate = own_server.folder / "gate"
    own_server.add("Poll", CHILD.format(gate=gate), inputs="ROUTER: {type: device}")
    own_server.add("Fleet", FLEET, inputs="FLEET: {type: devices}")
    with own_server.client("dev-admin", roles=("admin",)) as client:
        for name in NAMES:
            client.put(f"/api/inventory/{name}", json={"address": "192.0.2.1"})
        reply = client.post(
            "/api/runbooks/Fleet.md/execute",
            json={"env_vars": {"FLEET": "all"}},
            headers={"Prefer": "respond-async"},
        )
    return reply.json()["run_id"], gate


def test_the_table_follows_the_run(
    own_server, fleet, open_page, sign_in, picture, check_accessibility
):
    run_id, gate = fleet
    page = sign_in(open_page("/runs", at=own_server), "admin")
    page.goto(f"/run/{run_id}")
    table = page.get_by_role("region", name="Devices of this run")
    rows = table.get_by_role("row")
    expect(rows).to_have_count(5)
    expect(rows.filter(has_text="bad")).to_contain_text("no answer")
    expect(rows.filter(has_text="edge-1")).to_contain_text("40% Reading edge-1")
    expect(rows.filter(has_text="edge-2")).to_contain_text("Running")
    expect(rows.filter(has_text="edge-3")).to_contain_text("Pending")
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text("Paused: no more devices are started.")).to_be_visible()
    for view, (viewport, scheme) in VIEWS.items():
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(f".v-theme--{scheme}").first).to_be_attached()
        picture(page, f"fleet-{view}")
        check_accessibility(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.set_viewport_size(VIEWS["light"][0])
    gate.touch()
    expect(page.get_by_role("button", name="Succeeded 2")).to_be_visible()
    expect(rows.filter(has_text="edge-3")).to_contain_text("Pending")
    page.get_by_role("button", name="Continue", exact=True).click()
    expect(page.get_by_role("button", name="Succeeded 3")).to_be_visible()
    page.get_by_role("button", name="Failed 1").click()
    expect(rows).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert "bad,failed" in download.value.path().read_text()
    expect(page.get_by_role("heading", name="Called runs")).to_have_count(0)
    table.get_by_role("link", name="Run for bad").click()
    expect(page).to_have_url(re.compile(r"/run/"))
    expect(page.get_by_role("heading", name="Poll", level=1)).to_be_visible()
