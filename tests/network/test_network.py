"""Devices of other vendors are backed up, compared and changed, by their templates."""

import pytest

from mikrotik.scripts.bench import Bench, forget
from network.fake_cli import ENABLE, Device, Ios, Junos
from runbook.connectors import backups
from runbook.connectors.errors import ErrorCode

REFUSED, REVERTED, UNKNOWN = 40, 41, 42
IOS = ["hostname edge-1", "enable secret 5 $1$abc", "ip route"]
JUNOS = ["set system host-name core-1", "set system services ssh"]


class Site(Bench):
    def __init__(self, monkeypatch, folder):
        super().__init__(monkeypatch, folder, "network")
        self.kept = ("RUNBOOK_BACKUPS",)
        monkeypatch.setenv("RUNBOOK_BACKUPS", str(folder / "data" / "device-backups"))
        self.devices = []

    def device(self, kind, lines, vendor="", **values):
        made = kind(lines)
        self.devices.append(made)
        self.connect("d", made.values(**values), kind="ssh", device={"vendor": vendor})
        return made

    def run(self, name, **inputs):
        return self.execute(name, DEVICE="d", **inputs)

    def push(self, *lines, **inputs):
        return self.run("Push", CHANGE="\n".join(lines), MINUTES="1", **inputs)


@pytest.fixture
def site(monkeypatch, tmp_path):
    made = Site(monkeypatch, tmp_path)
    from network_toolkit import pushing

    monkeypatch.setattr(pushing, "MINUTE_S", 1.0)
    monkeypatch.setattr(pushing, "GRACE_S", 5.0)
    monkeypatch.setattr(pushing, "RETRY_S", 0.1)
    yield made
    for device in made.devices:
        device.close()
    forget("network_toolkit")


@pytest.mark.parametrize(
    ("kind", "lines", "vendor", "version"),
    [(Ios, IOS, "Cisco", "15.2(7)E3"), (Junos, JUNOS, "Juniper", "21.4R3")],
)
def test_only_real_changes_are_committed_and_secrets_are_not(site, kind, lines, vendor, version):
    device = site.device(kind, lines, vendor)

    first, again = site.run("Backup"), site.run("Backup")
    device.lines = [*device.lines, "set x"]
    third = site.run("Backup")

    assert (first.code, first.device.get("version")) == (0, version), first.error
    assert [one.error for one in (first, again, third)] == [None] * 3
    assert [one.outputs["CHANGED"] for one in (first, again, third)] == [True, False, True]
    store = backups.open_store()
    assert "$1$abc" not in store.export("d")
    assert "\n".join(lines) in store.binary("d").decode()


def test_differences_and_changed_secrets_are_shown(site):
    device = site.device(Ios, IOS, "Cisco")
    without = site.run("Diff")
    site.run("Backup")
    same = site.run("Diff", FAIL="true")
    device.lines = [IOS[0], "enable secret 5 $1$xyz", IOS[2]]
    secret = site.run("Diff", FAIL="true")
    device.lines = [*IOS, "ntp server 192.0.2.1"]
    added = site.run("Diff", FAIL="true")

    assert (without.code, same.code, secret.code, added.code) == (15, 0, 3, 3)
    assert secret.outputs["SECRET_CHANGED"] is True
    assert (added.outputs["ADDED"], added.outputs["REMOVED"]) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "lines", "vendor", "new"),
    [(Ios, IOS, "Cisco", "ntp server 192.0.2.1"), (Junos, JUNOS, "Juniper", "set system x")],
)
def test_a_change_is_confirmed_and_backed_up(site, kind, lines, vendor, new):
    device = site.device(kind, lines, vendor)
    done = site.push(new)
    assert (done.code, done.outputs["OUTCOME"]) == (0, "committed"), done.error
    assert new in device.lines
    assert device.confirm() is False
    [latest, first] = backups.open_store().history("d")
    assert (latest.origin, first.origin) == ("run", "first")
    assert site.journal.states == ["done"]


@pytest.mark.parametrize(
    ("kind", "lines", "vendor", "wrong"),
    [
        (Ios, IOS, "Cisco", ["ntp server 192.0.2.1", "bad line", "hostname x"]),
        (Junos, JUNOS, "Juniper", ["set system x", "set bad"]),
        (Junos, JUNOS, "Juniper", ["set invalid"]),
    ],
)
def test_a_line_that_is_refused_changes_nothing(site, kind, lines, vendor, wrong):
    device = site.device(kind, lines, vendor)
    done = site.push(*wrong)
    assert (done.code, done.outputs["OUTCOME"]) == (REFUSED, "refused"), done.error
    assert device.lines == lines
    assert site.journal.states == ["failed"]


@pytest.mark.parametrize(
    ("kind", "lines", "vendor", "cut"),
    [(Ios, IOS, "Cisco", "no ip route"), (Junos, JUNOS, "Juniper", "set cut")],
)
def test_a_device_that_is_cut_off_goes_back_by_itself(site, kind, lines, vendor, cut):
    device = site.device(kind, lines, vendor)
    done = site.push(cut)
    assert (done.code, done.outputs["OUTCOME"]) == (REVERTED, "reverted"), done.error
    assert device.lines == lines
    assert site.journal.states == ["failed"]


def test_without_a_revert_a_change_must_be_allowed(site):
    device = site.device(Device, IOS)
    unknown = site.push("ntp server x")
    refused = site.push("ntp server x", VENDOR="generic")
    wrong = site.push("ntp server x", "bad", VENDOR="generic", WITHOUT_REVERT="true")
    assert device.lines == [*IOS, "ntp server x"]
    site.journal.made.clear()
    done = site.push("ntp server y", VENDOR="generic", WITHOUT_REVERT="true")
    states = site.journal.states
    site.journal.made.clear()
    cut = site.push("cut", VENDOR="generic", WITHOUT_REVERT="true")

    assert {unknown.error.code, refused.error.code} == {ErrorCode.INVALID}
    assert (wrong.code, done.code, cut.code) == (UNKNOWN, 0, UNKNOWN)
    assert device.saved == [*IOS, "ntp server x", "ntp server y"]
    assert (states, site.journal.states) == (["done"], ["intended"])


def test_a_retry_looks_before_it_pushes_again(site):
    device = site.device(Ios, IOS, "Cisco")
    site.push("ntp server x")
    site.journal.made[0]["state"] = "intended"
    assert site.push("ntp server x").error.code is ErrorCode.CONFLICT
    device.lines = list(IOS)
    last = site.push("ntp server x")
    assert last.code == 0, last.error.message
    assert site.journal.states == ["failed", "done"]


def test_rights_are_asked_for_with_a_password(site):
    device = site.device(Ios, IOS, "Cisco")
    device.privileged = False
    assert site.run("Backup").error.code is ErrorCode.DEVICE_ERROR
    assert site.run("Backup", ENABLE="wrong").error.code is ErrorCode.AUTH
    assert site.run("Backup", ENABLE=ENABLE).code == 0


def test_a_dry_run_sends_nothing_but_reads(site):
    device = site.device(Ios, IOS, "Cisco")
    done = site.execute("Push", DEVICE="d", CHANGE="hostname x", dry_run=True)
    assert (done.code, device.lines, site.journal.made) == (0, IOS, [])
    assert [line.split("`")[1] for line in done.plan][1] == "hostname x"
    assert not [line for line in device.sent if line.startswith("configure")]


@pytest.mark.parametrize(
    "text",
    [
        "prompt: x",
        "[]",
        "name: x\nprompt: '('\nshow: x",
        "name: x\nprompt: x\nshow: x\nother: x",
        "{",
    ],
)
def test_a_template_with_a_mistake_is_refused(site, tmp_path, text):
    site.device(Device, IOS)
    file = tmp_path / "own.yaml"
    file.write_text(text)
    assert site.run("Backup", VENDOR="own", TEMPLATE=str(file)).error.code is ErrorCode.INVALID
