"""The pages of connections: add, change, test and remove, and what nobody gets to see."""

import re
import socket

import pytest
from playwright.sync_api import expect

from sshd import sshd, sshds

__all__ = ["sshd", "sshds"]

SECRET = "s3cret-of-the-lab"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmg\n-----END CERTIFICATE-----\n"
SCRIPT = "print -r -- uses $PVE"
# Everything that a page holds, in texts, attributes, fields and storage.
HELD = """() => document.documentElement.outerHTML
    + [...document.querySelectorAll('input, textarea')].map(one => one.value).join(' ')
    + JSON.stringify({...localStorage, ...sessionStorage}) + location.href"""
# Controls that are too small for a finger; a link or box may take the room around it.
SMALL = """() => [...document.querySelectorAll('main button, main select, main .control')]
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44)
    .map(one => one.outerHTML.slice(0, 200))"""


@pytest.fixture
def own_server(integration, tmp_path):
    with integration.running(tmp_path) as server:
        yield server


@pytest.fixture
def admin(own_server):
    with own_server.client("dev-admin", roles=("admin",)) as client:
        yield client


@pytest.fixture
def closed_port():
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def field(page, name):
    return page.locator(f"#input-{name}")


def connection(name, **more):
    values = {"host": "pve.example.com", "token_id": "root@pam!rb", "token_secret": SECRET}
    return {"name": name, "kind": "proxmox", "values": values, **more}


@pytest.fixture
def added(admin, closed_port):
    """A connection to a port that nobody listens on."""
    values = {"host": "127.0.0.1", "port": closed_port}
    body = connection("lab-pve", claims={"roles": ["sre", "admin"]})
    body["values"] |= values
    assert admin.post("/api/connections", json=body).status_code == 200
    return "lab-pve"


def test_a_connection_is_added_once_its_values_are_right(
    own_server, admin, open_page, sign_in, guard, look
):
    page = sign_in(open_page("/runbooks", at=own_server), "admin")
    page.get_by_role("link", name="Connections", exact=True).click()
    expect(page.get_by_text("No connections", exact=True)).to_be_visible()
    look(page, "connections-none")
    page.get_by_role("link", name="Add connection").click()
    page.get_by_label("Kind").select_option("Proxmox VE")
    add = page.get_by_role("button", name="Add connection")
    alternatives = "Fill in Token ID and Token secret, or User and Password."
    expect(page.get_by_text(alternatives)).to_be_visible()
    for name, text in {"name": "lab-pve", "host": "127.0.0.1", "port": "70000"}.items():
        field(page, name).fill(text)
    field(page, "token_id").fill("root@pam!runbook")
    page.get_by_role("button", name="Add claim").click()
    page.get_by_label("Name of claim 1").fill("roles")
    add.click()
    expect(field(page, "port")).to_be_focused()
    for fault in ("must be at most 65535", "Fill in Token ID", "At least one value is required"):
        expect(page.locator(".fault", has_text=fault)).to_be_visible()
    look(page, "connections-faults")
    field(page, "port").fill("8006")
    field(page, "token_secret").fill(SECRET)
    page.get_by_label("Allowed values of claim 1").fill("sre, admin")
    page.get_by_role("button", name="Add label").click()
    page.get_by_label("Name of label 1").fill("no spaces")
    page.get_by_label("Value of label 1").fill("berlin")
    # What only the server knows is told at its field, too.
    guard.allow("422")
    add.click()
    expect(page.get_by_label("Name of label 1")).to_be_focused()
    look(page, "connections-refused")
    page.get_by_label("Name of label 1").fill("site")
    add.click()
    expect(page).to_have_url(re.compile("/connection/lab-pve$"))
    expect(page.get_by_role("heading", name="lab-pve", exact=True)).to_be_visible()
    assert SECRET not in page.evaluate(HELD)
    kept = admin.get("/api/connections/lab-pve").json()
    assert (kept["values"]["port"], kept["has_secret"]["token_secret"]) == (8006, True)
    assert (kept["claims"], kept["labels"]) == ({"roles": ["sre", "admin"]}, {"site": "berlin"})


def test_a_test_says_what_is_wrong_and_a_secret_is_replaced_unseen(
    own_server, admin, added, open_page, sign_in, look
):
    page = sign_in(open_page(f"/connection/{added}", at=own_server), "admin")
    result = page.get_by_role("status", name="Last test of lab-pve")
    expect(result).to_have_text("Not tested")
    page.get_by_role("button", name="Test lab-pve").click()
    expect(result).to_contain_text("Failed")
    expect(result).to_contain_text("just now")
    # Without the connector's extra, it says how to install it.
    check = admin.get("/api/connections/lab-pve").json()["check"]
    assert check["code"] in ("unreachable", "missing_extra")
    expect(result.locator("code")).to_have_text(check["code"])
    expect(result).to_contain_text(check["message"])
    look(page, "connections-tested")

    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_role("group", name="Token secret")).to_contain_text("Set")
    assert SECRET not in page.evaluate(HELD)
    look(page, "connections-edit")
    page.get_by_role("button", name="Replace Token secret").click()
    expect(field(page, "token_secret")).to_be_focused()
    save = page.get_by_role("button", name="Save changes")
    save.click()
    expect(page.locator(".fault", has_text="Token secret is required")).to_be_visible()
    field(page, "token_secret").fill("another-secret")
    save.click()
    expect(page).to_have_url(re.compile("/connection/lab-pve$"))
    expect(result).to_have_text("Not tested")
    assert "another-secret" not in page.evaluate(HELD)
    assert admin.get("/api/connections/lab-pve").json()["revision"] == 2


def test_a_run_names_what_it_used_and_a_removal_the_runbooks(
    own_server, admin, added, open_page, sign_in, look
):
    inputs = f"# {added}\nPVE: {{type: connection, kind: proxmox}}"
    ref = own_server.add("Uses", SCRIPT, inputs=inputs)
    body = {"env_vars": {"PVE": added}}
    run_id = admin.post(f"/api/runbooks/{ref}", json=body).json()["run_id"]
    page = sign_in(open_page(f"/run/{run_id}", at=own_server), "admin")
    used = page.get_by_role("complementary", name="Run details").get_by_role("link", name=added)
    expect(used).to_have_attribute("href", f"/connection/{added}")
    expect(page.get_by_role("complementary", name="Run details")).to_contain_text(
        "Proxmox VE for PVE"
    )
    look(page, "connections-run")
    changes = {"values": {"ca": CERTIFICATE}}
    assert admin.patch(f"/api/connections/{added}", json=changes).status_code == 200
    used.click()
    expect(page.locator(f"a[href='/run/{run_id}']")).to_have_text("just now")
    expect(page.get_by_text("MIIBszCCAVmg")).to_be_hidden()
    page.get_by_text("3 lines").click()
    expect(page.get_by_text("MIIBszCCAVmg")).to_be_visible()
    page.get_by_role("button", name="Remove").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("link", name=ref)).to_be_visible()
    remove = dialog.get_by_role("button", name="Remove")
    remove.click()
    expect(dialog).to_contain_text("Confirmation required")
    look(page, "connections-remove")
    dialog.get_by_role("textbox").fill(added)
    remove.click()
    expect(page.get_by_text("No connections", exact=True)).to_be_visible()
    assert admin.get("/api/connections").json()["connections"] == []


def test_each_sees_what_their_claims_allow(own_server, admin, open_page, sign_in, look):
    admin.post("/api/connections", json=connection("core", claims={"roles": "sre"}))
    admin.post("/api/connections", json=connection("open", labels={"site": "berlin"}))
    netbox = {"url": "https://ipam.example.com", "token": SECRET}
    more = {"name": "ipam", "kind": "netbox", "values": netbox, "description": "Addresses"}
    assert admin.post("/api/connections", json=more).status_code == 200
    page = sign_in(open_page("/connections", at=own_server), "sre")
    rows = page.get_by_role("region", name="List of connections").get_by_role("row")
    expect(rows).to_have_count(4)
    expect(page.get_by_role("link", name="Add connection")).to_have_count(0)
    expect(rows.filter(has_text="ipam")).to_contain_text("https://ipam.example.com")
    look(page, "connections-list")
    page.get_by_role("searchbox").fill("site berlin")
    expect(rows).to_have_count(2)
    expect(page).to_have_url(re.compile(r"\?q=site"))
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Filter by kind").select_option("NetBox")
    expect(rows).to_have_count(2)
    page.goto("/connection/core?view=edit")
    expect(page.get_by_role("button", name="Test core")).to_be_visible()
    for name in ("Edit", "Remove", "Save changes"):
        expect(page.get_by_role("main").get_by_text(name, exact=True)).to_have_count(0)

    other = sign_in(open_page("/connections", at=own_server, touch=True), "viewer")
    expect(other.get_by_role("link", name="open", exact=True)).to_be_visible()
    expect(other.get_by_text("core", exact=True)).to_have_count(0)
    assert other.evaluate(SMALL) == []

    boss = sign_in(open_page("/connections", at=own_server, touch=True), "admin")
    expect(boss.get_by_role("row").filter(has_text="core")).to_contain_text("Not you")
    boss.goto("/connection/core?view=edit")
    expect(boss.get_by_role("button", name="Save changes")).to_be_visible()
    assert boss.evaluate(SMALL) == []


def test_the_page_is_hidden_from_those_who_may_not_see_connections(open_page, sign_in):
    page = sign_in(open_page("/runs"))

    def without(route):
        reply = route.fetch()
        config = reply.json()
        config["token"]["permissions"].remove("connection.read")
        route.fulfill(response=reply, json=config)

    page.route("**/api/config", without)
    page.goto("/runs")
    main = page.get_by_role("navigation", name="Main")
    expect(main.get_by_role("link", name="Runs", exact=True)).to_be_visible()
    expect(main.get_by_role("link", name="Connections", exact=True)).to_have_count(0)


def test_a_new_host_key_is_trusted_if_it_is_the_right_one(
    own_server, admin, open_page, sign_in, sshd, look
):
    body = {"name": "switch", "kind": "ssh", "values": sshd.values()}
    assert admin.post("/api/connections", json=body).status_code == 200
    assert admin.post("/api/connections/switch/check").json()["ok"]
    sshd.change_host_key()
    page = sign_in(open_page("/connection/switch", at=own_server), "admin")
    page.get_by_role("button", name="Test switch").click()
    expect(page.get_by_text("host_key", exact=True)).to_be_visible()
    page.get_by_role("button", name="Trust new host key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Fingerprint").fill("SHA256:another")
    trust = dialog.get_by_role("button", name="Trust the new key")
    trust.click()
    expect(dialog.get_by_role("alert")).to_contain_text(sshd.fingerprint)
    look(page, "retrust")
    dialog.get_by_label("Fingerprint").fill(sshd.fingerprint)
    trust.click()
    expect(dialog.get_by_role("status")).to_contain_text(sshd.fingerprint)
    dialog.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Test switch").click()
    expect(page.get_by_text("Works")).to_be_visible()
