"""Logs, clients, neighbors and reports."""

import json
from ipaddress import ip_address

import pytest

from runbook.errors import RunbookError


def test_the_log_is_filtered_by_level_topic_and_text(site):
    router = site.router()
    for topics, message in (
        ("system,info", "first"),
        ("dhcp,warning", "pool empty"),
        ("system,error,critical", "login failure for user joe"),
        ("system,info", "=1+1"),
    ):
        router.log(topics, message)

    def messages(**inputs):
        done = site.execute("Logs", ROUTER="core-1", **inputs)
        assert done.code == 0
        return [one["message"] for one in done.outputs["ENTRIES"]]

    assert messages(LEVEL="warning") == ["pool empty", "login failure for user joe"]
    assert messages(TOPICS="dhcp, ppp") == ["pool empty"]
    assert messages(TEXT="JOE") == ["login failure for user joe"]
    assert len(messages(COUNT="2")) == 2
    messages(TEXT="=1+1")
    assert site.artifact("log.csv").splitlines()[1].endswith(",'=1+1")


@pytest.mark.parametrize("version", ["6.49", "7.18"])
def test_clients_are_merged_by_mac_address(site, version):
    router = site.router(version=version)
    router.run("/ip arp add address=192.168.88.33 mac-address=02:00:00:00:00:AA interface=ether2")
    router.run("/ip arp add address=192.168.88.3 mac-address=02:00:00:00:00:BB interface=ether2")
    router.run("/ip dhcp-server add name=d interface=ether2 disabled=no")
    router.run("/ip dhcp-server lease add address=192.168.88.33 mac-address=02:00:00:00:00:aa")

    done = site.execute("Clients", ROUTER="core-1")

    found = {one["mac"]: one for one in done.outputs["CLIENTS"]}
    addresses = [one["address"] for one in done.outputs["CLIENTS"] if one["address"]]
    assert addresses == sorted(addresses, key=ip_address)
    assert {"192.168.88.3", "192.168.88.33"} <= set(addresses)
    assert found["02:00:00:00:00:AA"]["lease"]
    assert done.outputs["WIRELESS"] == 1
    searched = site.execute("Clients", ROUTER="core-1", TEXT="00:bb")
    assert searched.outputs["COUNT"] == 1


def test_neighbors_become_a_topology(site):
    site.router("edge-1")
    done = site.execute("Neighbors", ROUTER="edge-1")
    assert {one["identity"] for one in done.outputs["NEIGHBORS"]} == {"core", "ap-1"}

    others = {
        "core": {"IDENTITY": "CORE", "ADDRESSES": '["192.0.2.1/24"]', "NEIGHBORS": "[]"},
        "lonely": {"IDENTITY": "x", "ADDRESSES": '["192.168.88.9/24"]', "NEIGHBORS": "[]"},
        "edge-1": done.texts,
    }

    def answer(inputs):
        if inputs["ROUTER"] == "dead":
            raise RunbookError("It failed")
        return others[inputs["ROUTER"]]

    site.answers["mikrotik/Neighbors.md"] = answer
    drawn = site.execute("Topology", ROUTERS=["core", "edge-1", "lonely", "dead"])

    assert (drawn.code, drawn.outputs["FAILED"]) == (4, ["dead"])
    links = {(one["a"], one["b"]): one["seen"] for one in drawn.outputs["LINKS"]}
    assert links == {
        ("edge-1", "core"): True,
        ("edge-1", "ap-1"): True,
        ("edge-1", "lonely"): False,
    }
    assert drawn.outputs["UNKNOWN"] == ["ap-1"]
    assert {one["name"] for one in json.loads(site.artifact("topology.json"))["nodes"]} >= {"ap-1"}
    assert '"edge-1" -- "lonely" [style=dashed];' in site.artifact("topology.dot")


def test_a_report_has_what_is_wrong(site, monkeypatch, tmp_path):
    monkeypatch.setenv("RUNBOOK_BACKUPS", str(tmp_path / "data" / "device-backups"))
    site.kept = ("RUNBOOK_BACKUPS",)
    site.router()
    polled = site.execute("Poll", ROUTER="core-1").texts

    def answer(inputs):
        if inputs["ROUTER"] == "dead":
            raise RunbookError("timeout")
        return polled

    site.answers["mikrotik/Poll.md"] = answer

    fine = site.execute("Report", ROUTERS=["core-1"])
    bad = site.execute("Report", ROUTERS=["core-1", "dead"], MAX_MEMORY="10", FAIL_ON_ALERTS="true")

    assert (fine.code, fine.outputs["ALERTS"]) == (0, 0)
    assert (bad.code, bad.outputs["ALERTS"], bad.outputs["FAILED"]) == (3, 2, ["dead"])
    assert site.artifact("inventory.csv").splitlines()[2] == "dead,offline,,"
    assert "memory 25 %" in site.artifact("alerts.csv")
    assert "## Changes" in site.artifact("report.md")
