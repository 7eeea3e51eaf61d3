"""Polls of routers of several versions."""

import pytest

from runbook.connectors.errors import ErrorCode


@pytest.mark.parametrize("version", ["6.49", "7.12", "7.18"])
def test_the_inventory_gets_what_the_router_is_and_how_it_is(site, version):
    site.router(version=version, facts={"owner": "noc", "reason": "timeout"})

    done = site.execute("Poll", ROUTER="core-1")

    assert (done.code, done.outputs["STATE"]) == (0, "online")
    device = done.device
    assert (device["vendor"], device["version"]) == ("MikroTik", version)
    assert device["model"] == "RB5009UG+S+IN"
    assert (device["last_poll"], device["last_seen"]) == ("now", "now")
    facts = device["facts"]
    assert (facts["voltage"], facts["temperature"]) == (24.1, 52.0)
    assert (facts["memory"], facts["disk"], facts["cpu"]) == (25, 50, 3)
    assert facts["interfaces"]["ether1"]["state"] == "up"
    assert facts["wireless_clients"] == 1
    # What others have found out stays.
    assert (facts["owner"], facts["state"]) == ("noc", "online")
    assert "reason" not in facts


@pytest.mark.parametrize("version", ["6.49", "7.18"])
def test_a_change_of_the_configuration_is_found(site, version):
    router = site.router(version=version)
    router.run("/ip address add address=10.0.0.1/24 interface=ether2")

    def poll(before, **inputs):
        site.know("core-1", facts=before)
        done = site.execute("Poll", ROUTER="core-1", **inputs)
        return done.device["facts"], done.outputs["CONFIG_CHANGED"]

    facts, first = poll({})
    facts, second = poll(facts)
    router.advance(5)
    router.run("/ip address add address=10.0.1.1/24 interface=ether3")
    facts, third = poll(facts, BACKUP_ON_CHANGE="true")

    assert (first, second, third) == ("first", "no", "yes")
    assert site.calls == [("mikrotik/Backup.md", {"ROUTER": "core-1"})]


def test_a_router_that_does_not_answer_is_offline(site):
    router = site.router(facts={"uptime": 5})
    router.faults.refuse = True

    done = site.execute("Poll", ROUTER="core-1")

    assert done.error.code in (ErrorCode.REFUSED, ErrorCode.UNREACHABLE, ErrorCode.TLS)
    assert done.outputs["STATE"] == "offline"
    facts = done.device["facts"]
    assert (facts["state"], facts["reason"], facts["uptime"]) == ("offline", done.error.code, 5)
    assert "last_seen" not in done.device


def test_a_router_that_hangs_ends_by_its_time_out(site):
    router = site.router()
    router.faults.hang = True
    site.know("core-1", timeout=0.5, command_timeout=0.5)
    done = site.execute("Poll", ROUTER="core-1")
    assert (done.error.code, done.device["facts"]["reason"]) == (ErrorCode.TIMEOUT, "timeout")


def test_rates_come_from_the_counters_of_the_poll_before(site):
    router = site.router()
    router.advance(1000)
    counted = {"ether1": {"rx": 0, "tx": 0}, "ether2": {"rx": 10**15}}
    site.know("core-1", facts={"polled_at": 0, "interfaces": counted})

    done = site.execute("Poll", ROUTER="core-1")

    rows = {line.split(" | ")[0][2:]: line for line in done.summary.splitlines()}
    assert not rows["ether1"].endswith("|  |  |")
    assert rows["ether2"].endswith("|  |  |")
