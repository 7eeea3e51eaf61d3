"""Provision and Teardown, on the endpoints of both systems in this process."""

import json
import os
import signal

import pytest

from netbox.commands import Toolkits, ended
from netbox.endpoint import loopback
from pve import TEMPLATE, running_lab
from runbook.connectors.errors import EXIT_CODES, ErrorCode
from runbook.lab.ipam.sample import fill

NICS = [
    {"BRIDGE": "vmbr0", "VLAN": 20, "PREFIX": "10.10.20.0/24", "PREFIX6": "2001:db8:20::/64"},
    {"BRIDGE": "vmbr1", "PREFIX": "10.10.30.0/24", "ADDRESS": "10.10.30.77"},
]
INPUTS = {
    "PROXMOX": "pve",
    "NETBOX": "ipam",
    "NODE": "pve1",
    "CLUSTER": "lab",
    "NAME": "web-1",
    "TEMPLATE": f"local:vztmpl/{TEMPLATE}",
    "STORAGE": "local-lvm",
    "NICS": json.dumps(NICS),
}


class Place:
    """Both endpoints, and the toolkits that work with them."""

    def __init__(self, netbox, ipam, pve, folder):
        self.ipam, self.pve = ipam, pve
        fill(ipam.database)
        self.toolkits = Toolkits(folder, "netbox", "proxmox", "lab")
        self.toolkits.connect("ipam", "netbox", url=netbox.url, token=netbox.token)
        self.toolkits.connect("pve", "proxmox", **pve.values)

    def start(self, **changes):
        return self.toolkits.start_execute("lab/Provision.md", **{**INPUTS, **changes})

    def execute(self, name, *options, **inputs):
        return self.toolkits.execute(f"lab/{name}.md", *options, **inputs)

    def state(self):
        """All that a run could leave behind."""
        database = self.ipam.database
        return (
            self.ipam.addresses(),
            [row["name"] for row in database.rows("virtualization/virtual-machines")],
            database.rows("virtualization/interfaces"),
            self.pve.guests(),
            self.pve.disks(),
        )


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "pve"
    folder.mkdir()
    with loopback() as (netbox, ipam), running_lab(folder) as pve:
        yield Place(netbox, ipam, pve, tmp_path)


def test_a_container_is_provisioned_as_asked_and_torn_down_again(place):
    before = place.state()
    planned = place.execute("Provision", "--dry-run", **INPUTS)
    assert (planned.code, place.state()) == (0, before), planned.text
    assert (place.ipam.changing, place.pve.changes()) == ([], [])

    done = place.execute("Provision", **INPUTS)

    assert done.code == 0, done.text
    (container,) = place.pve.pve.cts
    config = container.config
    assert (container.vmid, config["hostname"]) == (int(done.outputs["VMID"]), "web-1")
    assert set(config["net0"].split(",")) >= {
        "bridge=vmbr0",
        "tag=20",
        "ip=10.10.20.3/24",
        "gw=10.10.20.1",
        "ip6=2001:db8:20::2/64",
        "gw6=2001:db8:20::1",
    }
    assert set(config["net1"].split(",")) >= {"bridge=vmbr1", "ip=10.10.30.77/24"}
    assert "gw=" not in config["net1"]
    for address in json.loads(done.outputs["ADDRESSES"]):
        assert any(address in line for line in planned.plan)
    (machine,) = place.ipam.database.rows("virtualization/virtual-machines")
    primary = place.ipam.database.get("ipam/ip-addresses", machine["primary_ip4"])
    assert primary["address"] == "10.10.20.3/24"

    given = {name: INPUTS[name] for name in ("PROXMOX", "NETBOX")}
    ended_ = place.execute("Teardown", "--confirm", "web-1", MACHINE="web-1", **given)
    assert ended_.code == 0, ended_.text
    assert place.state() == before


def no_prefix(place):
    nics = [*NICS, {"BRIDGE": "vmbr0", "PREFIX": "192.0.2.0/24"}]
    return {"NICS": json.dumps(nics)}, ErrorCode.NOT_FOUND


def no_space(place):
    place.pve.pve.fail("POST", "/lxc", status=500, message="No space left on device")
    return {}, ErrorCode.FULL


def no_cluster(place):
    return {"CLUSTER": "nope"}, ErrorCode.NOT_FOUND


@pytest.mark.parametrize("fault", [no_prefix, no_space, no_cluster])
def test_a_failure_in_any_step_leaves_everything_as_it_was(place, fault):
    before = place.state()
    changes, code = fault(place)

    done = place.execute("Provision", **{**INPUTS, **changes})

    assert done.code == EXIT_CODES[code], done.text
    assert place.state() == before


class Killer:
    """Kills the run when the systems have made a number of changes, before the last answer."""

    def __init__(self, place, moment):
        self.left = moment
        self.process = None
        place.ipam.after = lambda request, answer: self.see(request.method)
        place.pve.pve.after = lambda request: self.see(request.method)

    def see(self, method):
        if method == "GET" or self.process is None:
            return
        self.left -= 1
        if self.left == 0:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


MOMENTS = [int(it) for it in os.environ.get("PROVISION_MOMENTS", "2 8").split()]


def killed(place, moment):
    """A run that was killed at this moment."""
    killer = Killer(place, moment)
    killer.process = process = place.start()
    process.communicate()
    assert killer.left <= 0  # the script may live a moment longer than the engine
    killer.process = None
    (lost,) = [one for one in place.toolkits.runs() if one["runbook"] == "lab/Provision.md"]
    return lost["id"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_provision_is_undone_whole(place, moment):
    before = place.state()

    undone = place.toolkits.rerun("undo", killed(place, moment))

    assert undone.code == 0, undone.text
    assert place.state() == before


def test_a_killed_provision_is_resumed_and_torn_down_whole(place):
    before = place.state()

    resumed = place.toolkits.rerun("resume", killed(place, 11))

    assert resumed.code == 0, resumed.text
    given = {name: INPUTS[name] for name in ("PROXMOX", "NETBOX")}
    ended_ = place.execute("Teardown", "--confirm", "web-1", MACHINE="web-1", **given)
    assert ended_.code == 0, ended_.text
    assert place.state() == before


def test_provisions_at_the_same_time_have_nothing_in_common(place):
    nics = json.dumps([{"BRIDGE": "vmbr0", "PREFIX": "10.10.20.0/24"}])
    started = [place.start(NAME=f"web-{n}", NICS=nics) for n in range(3)]

    done = [ended(process) for process in started]

    assert [one.code for one in done] == [0, 0, 0], [one.text for one in done]
    assert len({one.outputs["VMID"] for one in done}) == 3
    assert len({one.outputs["ADDRESSES"] for one in done}) == 3
    assert len(place.pve.guests()) == 3
