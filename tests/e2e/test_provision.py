"""Provision in the browser, from its form to the machine, on the endpoints of both systems."""

import re
import threading

import pytest
from playwright.sync_api import expect

from lab.stage import NAME, PROVISION, TEMPLATE, set_up

MACHINES = "/virtual-machines/"
# The page of the form on which a value is, with the values to choose or to enter.
WHERE = {"PROXMOX": "pve", "NETBOX": "ipam", "NODE": "pve1", "CLUSTER": "lab"}
MACHINE = {"TEMPLATE": f"local:vztmpl/{TEMPLATE}", "STORAGE": "local-lvm"}
NICS = [
    {"BRIDGE": "vmbr0", "PREFIX": "10.10.20.0/24", "PREFIX6": "2001:db8:20::/64"},
    {"BRIDGE": "vmbr0", "PREFIX": "10.10.30.0/24"},
]


@pytest.fixture
def stage(tmp_path):
    with set_up(tmp_path, "sqlite") as stage:
        yield stage


def choose(page, name, value):
    field = page.locator(f"#input-{name}")
    expect(field.locator(f'option[value="{value}"]')).to_be_attached()
    field.select_option(value)


def seek(page, name, value):
    """Choose one of many by typing a part of it."""
    field = page.locator(f"#input-{name}")
    expect(field).to_have_attribute("aria-autocomplete", "list")
    field.press_sequentially(value)
    page.get_by_role("option", name=value, exact=True).click()
    expect(field).to_have_value(value)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def test_a_machine_is_provisioned_from_the_browser(stage, open_page, sign_in, look):
    page = sign_in(open_page(f"/execute/{PROVISION}", at=stage.server), "admin")
    for name, value in WHERE.items():
        choose(page, name, value)
    look(page, "provision-where")
    press(page, "Next")
    page.locator("#input-NAME").fill(NAME)
    for name, value in MACHINE.items():
        choose(page, name, value)
    look(page, "provision-machine")
    press(page, "Next")
    press(page, "Add row")
    for at, row in enumerate(NICS):
        for name, value in row.items():
            choose(page, f"NICS-{at}-{name}", value)
    page.locator("#input-NICS-0-VLAN").fill("20")
    seek(page, "NICS-1-ADDRESS", "10.10.30.7")
    look(page, "provision-network")
    press(page, "Next")
    press(page, "Review")
    rows = page.get_by_role("region", name="Rows of Network interfaces")
    expect(rows).to_contain_text("10.10.20.0/24 Servers")
    expect(rows).to_contain_text("10.10.30.7")
    look(page, "provision-review")

    seen = threading.Event()
    stage.endpoints.watch(lambda request, _: request.path.endswith(MACHINES) and seen.wait(20))
    press(page, "Execute")
    expect(page).to_have_url(re.compile("/run/"))
    expect(page.get_by_text("90% · Recording it in NetBox")).to_be_visible()
    seen.set()
    run = stage.ended(page.url.rpartition("/")[2])
    expect(page.get_by_role("link", name="Execute again")).to_be_visible()
    look(page, "provision-run")

    assert run["success"]
    told = [(one["percent"], one["text"]) for one in stage.events(run["id"], "progress")]
    assert any(20 < percent < 90 and text == "vzcreate" for percent, text in told), told
    (guest,) = stage.endpoints.guests()
    assert {"bridge=vmbr0", "ip=10.10.30.7/24"} <= set(guest.config["net1"].split(","))
    assert [row["name"] for row in stage.endpoints.machines()] == [NAME]
