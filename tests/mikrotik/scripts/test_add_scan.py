"""Routers are found and added to the inventory."""

import socket
from contextlib import closing

import pytest

from runbook.connectors.errors import EXIT_CODES, ErrorCode


def closed_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


def test_a_router_is_added_with_what_it_says_of_itself(site):
    site.router("Core 1")
    site.connect("lab", site.values("Core 1", host="203.0.113.1"))

    done = site.execute("AddDevice", CONNECTION="lab", ADDRESS="127.0.0.1", SITE="fra", TAGS="a, b")

    assert done.outputs["DEVICE"] == "core-1"
    device = done.device
    assert (device["name"], device["connection"], device["address"]) == (
        "core-1",
        "lab",
        "127.0.0.1",
    )
    assert (device["site"], device["tags"], device["version"]) == ("fra", ["a", "b"], "7.18")
    assert device["facts"]["serial"].startswith("HE")
    assert "role" not in device
    assert device["may_move"] is False


def test_the_usual_name_is_none_and_a_wrong_password_adds_nothing(site):
    site.router("MikroTik")
    site.connect("lab", site.values("MikroTik"))
    site.connect("wrong", site.values("MikroTik", password="no"))

    unnamed = site.execute("AddDevice", CONNECTION="lab")
    wrong = site.execute("AddDevice", CONNECTION="wrong", NAME="r1")
    unchecked = site.execute("AddDevice", CONNECTION="wrong", NAME="r1", CHECK="false")

    assert (unnamed.error.code, wrong.error.code) == (ErrorCode.INVALID, ErrorCode.AUTH)
    assert unnamed.devices == wrong.devices == []
    assert "last_seen" not in unchecked.device


def test_a_dry_run_plans_what_would_be_added(site):
    site.router()
    site.connect("lab", site.values("core-1"))
    done = site.execute("AddDevice", CONNECTION="lab", dry_run=True)
    assert (len(done.plan), done.devices) == (1, [])
    assert done.plan[0].startswith("verified: add core-1")


def test_a_scan_finds_routers_and_adds_them(site):
    router = site.router()
    site.connect("lab", site.values("core-1"))
    given = {"NETWORK": "127.0.0.1/32", "PORTS": f"{closed_port()},{router.api_ssl_port}"}

    looked = site.execute("Scan", NAMES="false", **given)
    added = site.execute("Scan", CONNECTION="lab", ADD="true", TAGS="new", **given)

    [found] = looked.outputs["FOUND"]
    assert (found["address"], found["ports"]) == ("127.0.0.1", [router.api_ssl_port])
    assert looked.devices == []
    assert added.outputs["ADDED"] == ["core-1"]
    assert (added.device["address"], added.device["tags"]) == ("127.0.0.1", ["new"])
    assert added.device["may_move"] is False
    assert "core-1" in site.artifact("scan.csv")


def test_routers_without_a_name_of_their_own_are_named_by_address(site):
    site.execute("Scan", NETWORK="127.0.0.1/32", PORTS=str(closed_port()), NAMES="false")
    from mikrotik_toolkit.watch import scanning

    site.connect("lab", {})
    site.patch.setenv("CONNECTION", "lab")
    facts = {"facts": {"identity": "MikroTik"}, "model": "hAP", "version": "7.18"}
    same = {**facts, "facts": {"identity": "core"}}
    found = {
        "192.0.2.1": scanning.Answer(facts),
        "192.0.2.2": scanning.Answer(same),
        "2001:db8::1": scanning.Answer(same),
        "192.0.2.9": scanning.Answer({}, "auth"),
    }
    scanning.add(found)
    added = site.handed_over("DEVICES")
    assert [one["name"] for one in added] == ["router-192.0.2.1", "core", "router-2001-db8-1"]


@pytest.mark.parametrize(
    ("network", "ports"),
    [("10.0.0.0/19", "8728"), ("2001:db8::/64", "8728"), ("10.0.0.0/30", "70000")],
)
def test_what_is_too_large_is_refused(site, network, ports):
    done = site.execute("Scan", NETWORK=network, PORTS=ports)
    assert done.code == EXIT_CODES[ErrorCode.INVALID]
