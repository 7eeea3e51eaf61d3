"""Changing and listing guests that are there."""

import json

import pytest

from pve import ISO, TEMPLATE


@pytest.fixture
def guests(lab):
    """A stopped virtual machine 100 with a disk, and a running container 101."""
    vm = lab.pve.add_vm(100, "db-1", config={"scsi0": "local-lvm:vm-100-disk-0,size=8G"})
    volumes = lab.pve.storages["local-lvm"].setdefault("volumes", {})
    about = {"content": "images", "format": "raw", "size": 8 * 1024**3, "vmid": 100}
    volumes["vm-100-disk-0"] = about
    return vm, lab.pve.add_ct(101, "web-1", status="running")


def asked(lab):
    return [(method, path) for method, path, _ in lab.changes()]


# -- power ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vmid", "action", "before", "after"),
    [
        ("100", "start", "stopped", "running"),
        ("101", "stop", "running", "stopped"),
        ("101", "shutdown", "running", "stopped"),
        ("101", "reboot", "running", "running"),
    ],
)
def test_power(kit, lab, guests, vmid, action, before, after):
    dry = kit.execute("Power", VMID=vmid, ACTION=action, dry=True)
    assert (len(dry.plan), lab.changes()) == (1, [])
    assert lab.pve.guest(int(vmid)).status == before
    run = kit.execute("Power", VMID=vmid, ACTION=action)
    assert run.run.success, run.errors
    assert lab.pve.guest(int(vmid)).status == after
    assert run.outputs == {"status": after}
    assert dry.plan[0].split(": ")[1].split(" ")[:2] == list(asked(lab)[0])


def test_what_is_in_the_wanted_state_is_left_alone(kit, lab, guests):
    run = kit.execute("Power", VMID="100", ACTION="stop")
    assert run.run.success
    assert lab.changes() == []


def test_a_guest_that_is_not_there(kit, guests):
    assert kit.execute("Power", VMID="999", ACTION="start").code == 15


# -- snapshots -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vmid", [100, 101])
def test_snapshots(kit, lab, guests, vmid):
    guest = lab.pve.guest(vmid)
    given = {"VMID": str(vmid), "SNAPSHOT": "before"}
    taken = kit.execute("Snapshot", **given)
    assert taken.run.success, taken.errors
    assert list(guest.snapshots) == ["before"]
    assert taken.effects == [("snapshot", "done")]
    rolled = kit.execute("Snapshot", **given, ACTION="roll back")
    assert rolled.run.success, rolled.errors
    again = kit.execute("Snapshot", **given)
    assert again.code != 0  # there is one with this name
    assert list(guest.snapshots) == ["before"]
    undo = kit.rerun("undo", taken)
    assert undo.run.success, undo.errors
    assert list(guest.snapshots) == []
    missing = kit.execute("Snapshot", **given, ACTION="roll back")
    assert missing.code == 15


def test_undo_leaves_a_snapshot_that_somebody_else_took(kit, lab, guests):
    taken = kit.execute("Snapshot", VMID="100", SNAPSHOT="before")
    guests[0].snapshots["before"]["description"] = "mine"
    assert kit.rerun("undo", taken).run.success
    assert list(guests[0].snapshots) == ["before"]


def test_a_snapshot_is_deleted(kit, lab, guests):
    given = {"VMID": "100", "SNAPSHOT": "before"}
    kit.execute("Snapshot", **given)
    assert kit.execute("Snapshot", **given, ACTION="delete").run.success
    assert guests[0].snapshots == {}


# -- backups -------------------------------------------------------------------------------------


def test_a_backup_is_asked_for_as_told(kit, lab, guests):
    run = kit.execute("Backup", VMID="100", STORAGE="local", KEEP="3", PROTECTED="true")
    assert run.run.success, run.errors
    ((method, path, values),) = lab.changes()
    assert (method, path) == ("POST", "/nodes/pve1/vzdump")
    expected = {"vmid": "100", "storage": "local", "mode": "snapshot", "compress": "zstd"}
    assert expected | {"prune-backups": "keep-last=3", "protected": "1"} == {
        name: value for name, value in values.items() if name != "notes-template"
    }
    assert values["notes-template"].startswith("{{guestname}} runbook: ")


# -- disks ---------------------------------------------------------------------------------------


def test_a_disk_grows_to_a_size_once(kit, lab, guests):
    run = kit.execute("Resize", VMID="100", DISK="scsi0", SIZE="16")
    assert run.run.success, run.errors
    assert lab.changes() == [
        ("PUT", "/nodes/pve1/qemu/100/resize", {"disk": "scsi0", "size": "16G"})
    ]
    guests[0].config["scsi0"] = "local-lvm:vm-100-disk-0,size=16G"
    assert kit.execute("Resize", VMID="100", DISK="scsi0", SIZE="16").run.success
    assert len(lab.changes()) == 1
    assert kit.execute("Resize", VMID="100", DISK="scsi9", SIZE="16").code == 15


# -- removal -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("vmid", "name"), [("100", "db-1"), ("101", "web-1")])
def test_a_guest_is_removed_with_its_disks(kit, lab, guests, vmid, name):
    lab.pve.guest(100).status = "running"
    dry = kit.execute("Delete", VMID=vmid, NAME=name, dry=True)
    assert (len(dry.plan), lab.changes()) == (2, [])
    run = kit.execute("Delete", VMID=vmid, NAME=name)
    assert run.run.success, run.errors
    assert int(vmid) not in lab.guests()
    assert not [volume for volume in lab.disks() if f"-{vmid}-" in volume]
    assert [method for method, _ in asked(lab)] == ["POST", "DELETE"]


def test_a_guest_with_another_name_is_not_removed(kit, lab, guests):
    run = kit.execute("Delete", VMID="100", NAME="web-1")
    assert run.code == 16
    assert lab.changes() == []


# -- lists ---------------------------------------------------------------------------------------


def values(run):
    assert run.run.success, run.errors
    return [one["value"] for one in json.loads(run.text())]


def test_what_there_is_to_choose_from(kit, lab, guests):
    lab.pve.add_node("pve2", online=False)
    lab.pve.storages["nas"] = {"type": "nfs", "active": 1, "content": "iso,images", "files": set()}
    lab.pve.store_file("nas", "rescue.iso", 1000)
    lab.pve.add_vm(900, "debian", template=True)
    assert values(kit.execute("Nodes")) == ["pve1"]
    assert values(kit.execute("Storage", NODE="pve1", CONTENT="images")) == ["local-lvm", "nas"]
    assert values(kit.execute("Templates", NODE="pve1")) == [f"local:vztmpl/{TEMPLATE}"]
    isos = values(kit.execute("Templates", NODE="pve1", CONTENT="iso"))
    assert isos == [f"local:iso/{ISO}", "nas:iso/rescue.iso"]
    assert values(kit.execute("Templates", NODE="pve1", CONTENT="vm")) == ["900"]
    assert values(kit.execute("List")) == ["100", "101"]
    assert values(kit.execute("List", KIND="lxc", NODE="pve1")) == ["101"]
    assert values(kit.execute("List", NODE="pve2")) == []


def test_only_what_guests_can_be_connected_to_is_a_network(kit, lab):
    found = values(kit.execute("Networks", NODE="pve1"))
    assert "vmbr0" in found
    assert not [name for name in found if name.startswith(("eno", "eth", "lo"))]


def test_forms_offer_what_there_is_on_the_node(kit, lab, guests):
    lab.pve.add_vm(900, "debian", template=True)
    where = {"NODE": "pve1"}
    assert kit.offered("CreateContainer", "NODE") == ["pve1"]
    assert kit.offered("CreateContainer", "STORAGE", **where) == ["local-lvm"]
    assert kit.offered("CreateContainer", "TEMPLATE", **where) == [f"local:vztmpl/{TEMPLATE}"]
    assert "vmbr0" in kit.offered("CreateContainer", "NICS.BRIDGE", row={}, **where)
    assert kit.offered("CreateVm", "ISO", SOURCE="iso", **where) == [f"local:iso/{ISO}"]
    assert kit.offered("CreateVm", "TEMPLATE", SOURCE="template", **where) == ["900"]
    assert kit.offered("CreateVm", "DISKS.STORAGE", row={}, **where) == ["local-lvm"]
    assert kit.offered("Power", "VMID") == ["100", "101"]
