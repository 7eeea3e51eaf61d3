"""Creating guests, checked by reading back from the server."""

import json
from urllib.parse import unquote

import pytest

from pve import ISO, lose
from runbook.core.events import EventType
from runbook.core.outcome import PlanLabel
from runbook.core.status import RunStatus

NICS = [
    {"BRIDGE": "vmbr0", "VLAN": 10, "IP": "192.0.2.10/24", "GATEWAY": "192.0.2.1", "IP6": "auto"},
    {"BRIDGE": "vmbr1", "IP": "dhcp", "IP6": "2001:db8::10/64", "GATEWAY6": "2001:db8::1"},
]


def parts(text):
    """The parts of a property string; one without a name has the name None."""
    found = [part.partition("=") for part in text.split(",")]
    return {name if equals else None: value if equals else name for name, equals, value in found}


def test_a_container_is_as_asked(kit, lab, container):
    nics = [NICS[0] | {"DNS": "192.0.2.53"}, NICS[1] | {"DNS": "192.0.2.53 2001:db8::53"}]
    run = kit.execute(
        "CreateContainer",
        **container,
        CORES="2",
        MEMORY="1024",
        DISK="12",
        NICS=json.dumps(nics),
        NAMESERVERS="192.0.2.54",
        SEARCHDOMAIN="example.com",
        PASSWORD="hunter2222",
        TAGS="web, test",
        FEATURES="nesting=1",
        SSH_KEYS="ssh-ed25519 AAAA ann@example.com",
        DESCRIPTION="A web server",
    )
    assert run.run.success, run.errors
    (guest,) = lab.pve.cts
    config = guest.config
    assert (guest.vmid, guest.status) == (100, "running")
    expected = {"hostname": "web-1", "cores": 2, "memory": 1024, "swap": 0, "unprivileged": 1}
    expected |= {"searchdomain": "example.com", "tags": "test;web", "features": "nesting=1"}
    expected["nameserver"] = "192.0.2.54 192.0.2.53 2001:db8::53"
    assert {name: config.get(name) for name in expected} == expected
    assert parts(config["rootfs"])["size"] == "12G"
    first, second = parts(config["net0"]), parts(config["net1"])
    wanted = {"name": "eth0", "bridge": "vmbr0", "tag": "10", "ip": "192.0.2.10/24"}
    assert wanted | {"gw": "192.0.2.1", "ip6": "auto"} == {
        k: v for k, v in first.items() if k not in ("hwaddr", "type")
    }
    wanted = {"name": "eth1", "bridge": "vmbr1", "ip": "dhcp", "ip6": "2001:db8::10/64"}
    assert wanted | {"gw6": "2001:db8::1"} == {
        k: v for k, v in second.items() if k not in ("hwaddr", "type")
    }
    assert config["description"].startswith("A web server\n\nrunbook: ")
    assert run.outputs == {"vmid": "100", "node": "pve1"}
    assert run.effects == [("guest", "done")]
    assert "TASK OK" in run.text()


def test_a_machine_is_as_asked(kit, lab, machine):
    nics = [NICS[0] | {"MODEL": "e1000", "FIREWALL": True}, NICS[1]]
    run = kit.execute(
        "CreateVm",
        **machine | {"SOURCE": "iso", "ISO": f"local:iso/{ISO}"},
        CORES="4",
        SOCKETS="2",
        MEMORY="4096",
        CPU="host",
        AGENT="true",
        DISK="32",
        DISKS=json.dumps([{"SIZE": 100, "SSD": True, "IOTHREAD": True}]),
        NICS=json.dumps(nics),
        CLOUD_INIT="true",
        CI_USER="ada",
        CI_PASSWORD="hunter2222",
        SSH_KEYS="ssh-ed25519 AAAA ann@example.com",
        NAMESERVERS="192.0.2.53",
    )
    assert run.run.success, run.errors
    (guest,) = lab.pve.vms
    config = guest.config
    assert (guest.vmid, guest.name, guest.status) == (100, "db-1", "running")
    expected = {"cores": 4, "sockets": 2, "memory": "4096", "cpu": "host", "ostype": "l26"}
    expected |= {"scsihw": "virtio-scsi-single", "boot": "order=scsi0;ide2;net0", "ciuser": "ada"}
    expected |= {
        "nameserver": "192.0.2.53",
        "ipconfig1": "ip=dhcp,ip6=2001:db8::10/64,gw6=2001:db8::1",
    }
    expected["ipconfig0"] = "ip=192.0.2.10/24,gw=192.0.2.1,ip6=auto"
    assert {name: config.get(name) for name in expected} == expected
    assert unquote(config["sshkeys"]) == "ssh-ed25519 AAAA ann@example.com"
    assert parts(config["scsi0"])["size"] == "32G"
    disk = parts(config["scsi1"])
    assert (disk["size"], disk["ssd"], disk["iothread"]) == ("100G", "1", "1")
    assert parts(config["ide2"])[None] == f"local:iso/{ISO}"
    assert "cloudinit" in config["ide0"] or parts(config["ide0"])["media"] == "cdrom"
    nic = parts(config["net0"])
    assert (nic["bridge"], nic["tag"], nic["firewall"]) == ("vmbr0", "10", "1")
    assert "e1000" in nic
    assert "virtio" in parts(config["net1"])


def template_in(lab):
    config = {"scsi0": "local-lvm:base-900-disk-0,size=2G", "boot": "order=scsi0", "memory": "512"}
    lab.pve.add_vm(900, "debian", template=True, config=config)
    volumes = lab.pve.storages["local-lvm"].setdefault("volumes", {})
    size = 2 * 1024**3
    volumes["base-900-disk-0"] = {"content": "images", "format": "raw", "size": size, "vmid": 900}


def test_a_clone_grows_and_gets_what_was_asked(kit, lab, machine):
    template_in(lab)
    run = kit.execute(
        "CreateVm",
        **machine | {"SOURCE": "template", "TEMPLATE": "900"},
        DISK="20",
        CORES="2",
        CLOUD_INIT="true",
        NICS=json.dumps(NICS[:1]),
        DISKS=json.dumps([{"SIZE": 5}]),
    )
    assert run.run.success, run.errors
    clone = lab.pve.vm(100)
    assert (clone.name, clone.status, clone.config["cores"]) == ("db-1", "running", "2")
    assert clone.config["scsi1"].startswith("local-lvm:5")
    assert clone.config["ipconfig0"] == "ip=192.0.2.10/24,gw=192.0.2.1,ip6=auto"
    assert ("PUT", "/nodes/pve1/qemu/100/resize", {"disk": "scsi0", "size": "20G"}) in lab.changes()
    assert kit.store.runs.get(run.run.id).request.locks.wants[0].name.endswith("900:local-lvm")


@pytest.mark.parametrize("kind", ["container", "machine", "clone"])
def test_a_dry_run_sends_no_change_and_names_what_a_real_run_sends(
    kit, lab, container, machine, kind
):
    template_in(lab)
    inputs = {
        "container": ("CreateContainer", container | {"PASSWORD": "hunter2222"}),
        "machine": ("CreateVm", machine | {"DISK": "8", "CLOUD_INIT": "true"}),
        "clone": (
            "CreateVm",
            machine | {"SOURCE": "template", "TEMPLATE": "900", "DISK": "9", "CLOUD_INIT": "true"},
        ),
    }
    ref, values = inputs[kind]
    dry = kit.execute(ref, **values, NICS=json.dumps(NICS), dry=True)
    assert dry.run.result.label is PlanLabel.VERIFIED, dry.errors
    assert lab.changes() == []
    assert dry.effects == []

    real = kit.execute(ref, **values, NICS=json.dumps(NICS))
    assert real.run.success, real.errors
    sent = [f"{method} {path}" for method, path, _ in lab.changes()]
    assert [line.split(": ")[1].split(" ")[:2] for line in dry.plan] == [s.split(" ") for s in sent]
    for line, (_, _, body) in zip(dry.plan, lab.changes(), strict=True):
        for name, value in body.items():
            assert name == "description" or f" {name}={value}" in line


def test_the_number_asked_for(kit, lab, container):
    run = kit.execute("CreateContainer", **container, VMID="4711")
    assert run.run.success
    assert list(lab.guests()) == [4711]


def test_a_number_that_is_taken_is_not_replaced(kit, lab, container):
    lab.pve.add_vm(4711, "other")
    run = kit.execute("CreateContainer", **container, VMID="4711")
    assert (run.run.status, run.code) == (RunStatus.FAILED, 16), run.errors
    assert "4711" in run.errors
    assert list(lab.guests()) == [4711]
    assert run.effects == [("guest", "failed")]


def test_a_number_that_is_taken_meanwhile_is_replaced(kit, lab, container):
    taken = "unable to create CT 100 - CT 100 already exists on node 'pve1'"
    lab.pve.fail("POST", "/nodes/pve1/lxc", 500, taken, times=2)
    run = kit.execute("CreateContainer", **container)
    assert run.run.success, run.errors
    assert list(lab.guests()) == [100]
    assert [state for _, state in run.effects] == ["failed", "failed", "done"]


@pytest.mark.parametrize(
    "nic",
    [
        {"BRIDGE": "vmbr0", "IP": "auto"},
        {"BRIDGE": "vmbr0", "IP": "192.0.2.1"},
        {"BRIDGE": "vmbr0", "IP": "2001:db8::1/64"},
        {"BRIDGE": "vmbr0", "IP": "192.0.2.1/24", "GATEWAY": "2001:db8::1"},
        {"BRIDGE": "vmbr0", "DNS": "example.com"},
    ],
)
def test_interfaces_that_make_no_sense_are_refused(kit, lab, container, nic):
    run = kit.execute("CreateContainer", **container, NICS=json.dumps([nic]))
    assert run.code == 17, run.errors
    assert lab.changes() == []


def test_addresses_of_a_machine_need_cloud_init(kit, lab, machine):
    run = kit.execute("CreateVm", **machine, NICS=json.dumps(NICS))
    assert run.code == 17, run.errors
    assert lab.changes() == []


def test_what_the_server_rejects_is_told_by_field(kit, lab, container):
    run = kit.execute("CreateContainer", **container, FEATURES="flying=1")
    assert run.code == 17, run.errors
    assert "features" in run.errors
    assert lab.guests() == {}
    assert "Traceback" not in run.errors


def test_a_start_that_fails_removes_the_container(kit, lab, container):
    lab.pve.fail("POST", "/nodes/pve1/lxc/100/status/start", 500, "no cgroups")
    run = kit.execute("CreateContainer", **container)
    assert (run.run.status, run.code) == (RunStatus.FAILED, 20)
    assert run.undo.success
    assert lab.guests() == {}
    assert lab.disks() == []
    assert run.effects == [("guest", "undone")]


def test_undo_removes_what_was_created_and_only_that(kit, lab, container):
    others = [kit.execute("CreateContainer", **container) for _ in range(2)]
    kept = lab.pve.cts[0].config["description"]
    undo = kit.rerun("undo", others[1])
    assert undo.run.success, undo.errors
    assert [one.config["description"] for one in lab.pve.cts] == [kept]


def test_undo_leaves_a_guest_that_somebody_else_created_under_the_number(kit, lab, container):
    run = kit.execute("CreateContainer", **container)
    lab.pve.cts.clear()
    lab.pve.add_ct(100, "precious")
    undo = kit.rerun("undo", run)
    assert undo.run.success, undo.errors
    assert [one.name for one in lab.pve.cts] == ["precious"]
    assert [change for change in lab.changes() if change[0] == "DELETE"] == []


def test_the_progress_is_that_of_the_tasks(kit, container):
    run = kit.execute("CreateContainer", **container)
    found = [(one["percent"], one["text"]) for one in run.data(EventType.PROGRESS)]
    assert found == [(80, "vzcreate"), (100, "vzstart")]


def test_a_retry_goes_on_with_what_is_there_if_it_is_what_was_asked_for(kit, lab, container):
    def cut(request):
        if request.method == "POST" and request.path.endswith("/lxc"):
            lab.pve.before = lose
            lose(request)

    lab.pve.after = cut
    run = kit.execute("CreateContainer", **container)
    lab.pve.before = lab.pve.after = lambda request: None
    other = kit.rerun("retry", run, HOSTNAME="web-2")
    assert other.code == 16, other.errors
    assert list(lab.guests()) == [100]
    again = kit.rerun("retry", other, HOSTNAME="web-1")
    assert again.run.success, again.errors
    assert (list(lab.guests()), run.effects) == ([100], [("guest", "adopted")])
