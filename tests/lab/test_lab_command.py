"""`runbook lab`: from nothing to a form with choices, and back."""

import json

import pytest

from netbox.commands import Toolkits, ended

ROUTERS = ("lab-router-1", "lab-router-2")
NAMES = ("lab-netbox", "lab-proxmox", *ROUTERS)


@pytest.fixture
def commands(tmp_path):
    (tmp_path / "runbooks").mkdir()
    found = Toolkits(tmp_path)
    yield found
    ended_text(found, "lab", "down")


def ended_text(commands, *arguments):
    with commands.start(*arguments) as process:
        stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    return stdout


def listed(commands, what):
    return json.loads(ended_text(commands, *what.split(), "--json"))


def test_the_lab_goes_up_and_down(commands):
    assert "lab/Provision.md" in ended_text(commands, "lab", "up")
    ended_text(commands, "lab", "up")

    connections = listed(commands, "connections list")["connections"]
    assert {one["name"] for one in connections} == set(NAMES)
    toolkits = {one["slug"]: one["enabled"] for one in listed(commands, "toolkit list")["toolkits"]}
    assert all(toolkits[slug] for slug in ("lab", "netbox", "proxmox", "mikrotik", "fleet"))
    devices = listed(commands, "inventory list")["devices"]
    assert [(one["name"], one["connection"]) for one in devices] == [(it, it) for it in ROUTERS]
    for name in NAMES:
        assert listed(commands, f"connections check {name}")["ok"]
    choices = ended(commands.start_execute("netbox/Prefixes.md", NETBOX="lab-netbox"))
    assert "10.10.20.0/24" in choices.printed

    ended_text(commands, "lab", "down")
    assert listed(commands, "connections list")["connections"] == []
    assert listed(commands, "inventory list")["devices"] == []
