"""The running configuration and the saved ones."""

import json

import pytest

from runbook.connectors import backups
from runbook.connectors.backups import Origin

DRIFTED = 3


@pytest.fixture
def backed_up(site, monkeypatch, tmp_path):
    """A router of a version, and a function that backs it up."""
    monkeypatch.setenv("RUNBOOK_BACKUPS", str(tmp_path / "data" / "device-backups"))
    site.kept = ("RUNBOOK_BACKUPS",)

    def start(version):
        router = site.router(version=version)

        def save():
            from mikrotik_toolkit import saving

            with site.opened("core-1") as opened:
                store = backups.open_store()
                seen = saving.look(opened, store)
                taken = backups.Snapshot("core-1", seen.export, seen.facts, seen.fingerprint)
                return store.save(taken, Origin.SEEN, backups.Source()).commit

        return router, save

    return start


def test_what_only_looks_like_a_revert_is_drift(site, backed_up):
    router, save = backed_up("7.18")
    save()
    router.run(
        '/ip firewall filter add chain=input action=accept comment="name=runbook-revert-1"; '
        '/system scheduler add name=mine comment="a name=runbook-revert-1"'
    )
    done = site.execute("Drift", ROUTER="core-1")
    assert done.code == DRIFTED
    for menu in ("/ip firewall filter", "/system scheduler"):
        assert menu in done.printed


@pytest.mark.parametrize("version", ["6.49", "7.12", "7.18"])
def test_a_change_by_hand_is_drift(site, backed_up, version):
    router, save = backed_up(version)
    save()

    same = site.execute("Drift", ROUTER="core-1")
    router.run("/ip address add address=10.0.0.1/24 interface=ether2")
    drifted = site.execute("Drift", ROUTER="core-1")

    assert (same.code, same.outputs["SAME"], same.device["facts"]["drift"]) == (0, True, False)
    assert (drifted.code, drifted.outputs["SAME"]) == (DRIFTED, False)
    assert drifted.device["facts"]["drift"] is True
    [menu] = drifted.outputs["MENUS"]
    assert (menu["menu"], menu["added"], menu["removed"]) == ("/ip address", 1, 0)
    assert "+add address=10.0.0.1/24" in site.artifact("changes.diff")


def test_a_secret_that_changes_is_drift_without_a_diff(site, backed_up):
    router, save = backed_up("7.18")
    router.run("/ppp secret add name=joe password=one")
    save()
    router.run("/ppp secret set joe password=two")

    done = site.execute("Drift", ROUTER="core-1")

    assert (done.code, done.outputs["SAME"]) == (DRIFTED, True)
    assert done.outputs["SECRET_CHANGED"] is True


def test_without_a_backup_there_is_nothing_to_compare(site, backed_up):
    backed_up("7.18")
    assert site.execute("Drift", ROUTER="core-1").error.code == "not_found"


def test_saved_configurations_and_files_are_compared(site, backed_up, tmp_path):
    router, save = backed_up("7.18")
    first = save()
    only_one = site.execute("Diff", ROUTER="core-1", BEFORE="previous", AFTER="latest")
    router.run("/system identity set name=core-2")
    save()
    router.faults.refuse = True
    file = tmp_path / "wanted.rsc"
    file.write_text(router.run("/export") + "\n/ip dns\nset servers=192.0.2.53\n")

    between = site.execute("Diff", ROUTER="core-1", BEFORE="previous", AFTER="latest")
    by_commit = site.execute("Diff", ROUTER="core-1", BEFORE="latest", AFTER=first[:8])
    wanted = site.execute("Diff", ROUTER="core-1", AFTER="file", FILE=str(file))

    offered = json.loads(site.execute("Versions", ROUTER="core-1").printed)
    unknown = site.execute("Diff", ROUTER="core-1", BEFORE="nonsense", AFTER="latest")

    assert [one["value"] for one in offered][:4] == ["running", "latest", "previous", "file"]
    assert offered[-1]["value"] == first[:10]
    assert unknown.code != 0
    assert only_one.error.code == "not_found"
    assert [one["menu"] for one in between.outputs["MENUS"]] == ["/system identity"]
    assert between.outputs["MENUS"] == by_commit.outputs["MENUS"]
    assert [one["menu"] for one in wanted.outputs["MENUS"]] == ["/ip dns"]
