"""A change of a router in the browser: committed, reverted, compared, and who made it."""

import re

import pytest
from playwright.sync_api import expect

from integration.conftest import Beside
from runbook.lab.routeros.router import Router

NAME, PASSWORD = "edge-1", "s3cret-of-the-lab"
ADD = "/ip address add address=10.0.0.1/24 interface=ether2"
CUT = "/ip firewall filter add chain=input action=drop"
REVERT_S = 3000
"""More than a busy machine takes. The router's clock is moved instead."""
# Controls that are too small for a finger; a link takes the room around it.
SMALL = """() => [...document.querySelectorAll('main :is(button, select, .control, .view)')]
    .filter(one => one.checkVisibility() && one.getBoundingClientRect().height < 44)
    .map(one => one.outerHTML.slice(0, 200))"""


@pytest.fixture
def router():
    with Router("7.18", password=PASSWORD, identity=NAME, boot_seconds=2) as router:
        yield router


@pytest.fixture
def own_server(integration, tmp_path, router):
    with integration.running(tmp_path) as server:
        beside = Beside(server)
        for action in ("install", "enable"):
            done = beside.run("toolkit", action, "mikrotik")
            assert done.returncode == 0, done.stderr
        values = {
            "host": "127.0.0.1", "port": router.api_ssl_port, "ssh_port": router.ssh_port,
            "username": "admin", "password": PASSWORD, "ca": router.ca, "timeout": 2,
            "command_timeout": 3,
        }  # fmt: skip
        with server.client("dev-admin", roles=("admin",)) as client:
            new = {"name": "routers", "kind": "routeros", "values": values}
            assert client.post("/api/connections", json=new).status_code == 200
            client.put(f"/api/inventory/{NAME}", json={"connection": "routers"})
        yield server


def push(page, change):
    page.goto(f"/execute/mikrotik/Push.md?env.ROUTER={NAME}&env.REVERT_AFTER={REVERT_S}")
    page.locator("#input-CHANGE").fill(change)
    # Its description has a table, which must not widen the page.
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.get_by_role("button", name="Execute", exact=True).click()
    expect(page).to_have_url(re.compile("/run/"))


def test_a_change_is_committed_and_another_reverts(own_server, router, open_page, sign_in, look):
    page = sign_in(open_page(f"/device/{NAME}/configuration", at=own_server), "admin")
    expect(page.get_by_text("No backup yet")).to_be_visible()
    push(page, ADD)
    outcome = page.get_by_role("region", name="Outcome")
    phases = page.get_by_role("region", name="Phases").get_by_role("listitem")
    expect(phases).to_have_count(9)
    expect(outcome).to_contain_text("Committed")
    expect(phases.filter(has_text="done")).to_have_count(9)
    look(page, "push-committed")

    push(page, CUT)
    while "action=drop" not in router.snapshot():
        page.wait_for_timeout(100)
    router.advance(REVERT_S + 1)
    expect(outcome).to_contain_text("Reverted")
    expect(outcome).to_contain_text("cut_off")
    expect(outcome).to_be_in_viewport(ratio=1)
    expect(phases.filter(has_text="failed")).to_have_count(1)
    look(page, "push-reverted")
    reverted = page.url

    versions = "&env.BEFORE=previous&env.AFTER=latest"
    page.goto(f"/execute/mikrotik/Diff.md?env.ROUTER={NAME}{versions}")
    page.get_by_role("button", name="Execute", exact=True).click()
    changes = page.get_by_role("region", name="Changes in changes.diff")
    expect(changes.locator(".added")).to_contain_text("10.0.0.1/24")
    look(page, "diff")

    page.goto(f"/device/{NAME}")
    changes = page.get_by_role("region", name="Configuration")
    expect(changes.get_by_role("listitem")).to_have_count(2)
    expect(changes.get_by_role("listitem").first).to_contain_text("Push, step Apply by dev-admin")
    look(page, "device-pushed")
    changes.get_by_role("link", name=re.compile("^What .* changed$")).first.click()
    compared = page.get_by_role("region", name=f"Changes in the configuration of {NAME}")
    expect(compared.locator(".added")).to_contain_text("10.0.0.1/24")
    look(page, "configuration-changes")
    page.get_by_role("link", name="Who changed which line").click()
    lines = page.get_by_role("region", name="Lines of the configuration")
    expect(lines.get_by_text("First backup")).to_have_count(2)
    assert lines.bounding_box()["height"] > 10 * 20
    look(page, "configuration-lines")
    page.get_by_role("searchbox").fill("push")
    expect(lines.get_by_role("row")).to_have_count(2)

    phone = {"viewport": {"width": 390, "height": 844}, "at": own_server, "touch": True}
    page = sign_in(open_page(reverted, **phone), "admin")
    expect(page.get_by_role("region", name="Outcome")).to_contain_text("Reverted")
    assert page.evaluate(SMALL) == []
    page.goto(f"/device/{NAME}/configuration?view=lines")
    expect(page.get_by_role("region", name="Lines of the configuration")).to_be_visible()
    assert page.evaluate(SMALL) == []
