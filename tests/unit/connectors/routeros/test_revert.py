"""The revert on the router's own clock."""

import threading

import pytest

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.revert import Hindrance

VERSIONS = ("6.49", "7.12", "7.18")
CUT = "/ip address\nset [find address=192.168.88.1/24] disabled=yes\n"
ADDRESS = {"address": "10.0.0.1/24", "interface": "ether2"}


@pytest.fixture
def recorded(monkeypatch):
    """What is recorded of changes: before, and after."""
    said = []

    def intend(pipe, key, what, probe):
        said.append((key, probe))
        return "r/1"

    def settle(pipe, which, state, outcome):
        said.append((state.value, sorted(outcome)))

    monkeypatch.setattr("runbook.connectors.effects.commands.variable", lambda name: "pipe")
    monkeypatch.setattr("runbook.connectors.effects.effects.intend", intend)
    monkeypatch.setattr("runbook.connectors.effects.effects.settle", settle)
    return said


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_not_confirmed_is_undone_once(lab_of, recorded, version):
    lab = lab_of(version, boot_seconds=0.2)
    before = lab.router.snapshot()
    with lab.connect() as router:
        assert router.revert_obstacles() == ()
        armed = router.arm_rollback("r1", 60)
        assert (armed.name, armed.run_id, armed.run_count) == ("runbook-revert-r1", "r1", 0)
        assert armed.next_run
        router.add("/ip/address", ADDRESS)
    assert recorded == [
        ("routeros.revert", {"connection": "lab", "scheduler": "runbook-revert-r1"}),
        ("done", ["at", "file"]),
    ]
    lab.router.advance(59)
    assert lab.router.boots == 1
    lab.router.advance(2)
    lab.router.wait_until_up(boots=2)
    assert lab.router.snapshot() == before
    # It never fires again, whatever becomes of the clock.
    lab.router.advance(7 * 86_400)
    assert lab.router.boots == 2
    with lab.connect() as router:
        assert router.reverts() == ()
        assert router.cancel_rollback(armed) is False


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_confirmed_stays(lab_of, recorded, version):
    lab = lab_of(version)
    with lab.connect() as router:
        armed = router.arm_rollback("r1", 60)
        router.add("/ip/address", ADDRESS)
        after = lab.router.snapshot()
        assert router.cancel_rollback(armed) is True
        assert (router.reverts(), router.print("/file", where={"name": armed.file})) == ((), [])
    lab.router.advance(3600)
    assert lab.router.boots == 1
    assert after != lab.router.snapshot()
    assert "10.0.0.1/24" in lab.router.snapshot()


def test_a_push_that_cuts_its_access_is_undone(lab_of, recorded):
    lab = lab_of(boot_seconds=0.2)
    before = lab.router.snapshot()
    with lab.connect(command_timeout=1, timeout=1) as router:
        router.arm_rollback("r1", 60)
        with pytest.raises(ConnectorError):
            router.apply(CUT, timeout=1)
            router.print("/ip/address")
    with pytest.raises(ConnectorError):
        lab.connect(timeout=1)
    lab.router.advance(61)
    lab.router.wait_until_up(boots=2)
    assert lab.router.snapshot() == before
    lab.connect().close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_clock_that_is_set_back_doesnt_delay_it(lab_of, recorded, version):
    lab = lab_of(version, boot_seconds=0.2, clock_rate=60)
    before = lab.router.snapshot()
    with lab.connect() as router:
        router.arm_rollback("r1", 60, clock_may_change=True)
    lab.router.run(
        "/system clock set date=2020-01-01; /ip address add address=10.0.0.1/24 interface=ether2"
    )
    lab.router.wait_until_up(boots=2)
    assert (lab.router.boots, lab.router.snapshot()) == (2, before)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_router_that_was_off_when_it_was_due_goes_back_after_its_start(lab_of, recorded, version):
    lab = lab_of(version, boot_seconds=180, clock_rate=60)
    before = lab.router.snapshot()
    with lab.connect() as router:
        router.arm_rollback("r1", 120)
        router.add("/ip/address", ADDRESS)
    lab.router.power_cycle()
    lab.router.wait_until_up(boots=3)
    assert (lab.router.boots, lab.router.snapshot()) == (3, before)
    lab.router.advance(7 * 86_400)
    assert lab.router.boots == 3


def test_what_waits_for_a_revert_does_nothing_once_it_is_confirmed_or_armed_anew(lab_of, recorded):
    lab = lab_of(boot_seconds=0.2, clock_rate=60)
    with lab.connect() as router:
        armed = router.arm_rollback("r1", 600, clock_may_change=True)
        router.cancel_rollback(armed)
        router.arm_rollback("r1", 36_000)
        jobs = [one for one in threading.enumerate() if one.name == "routeros-execute"]
        for job in jobs:
            job.join()
    assert (len(jobs), lab.router.boots) == (1, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_script_undoes_without_a_restart_and_removes_itself(lab_of, recorded, version):
    lab = lab_of(version)
    before = lab.router.snapshot()
    with lab.connect() as router:
        script = "/ip address\nremove [find address=10.0.0.1/24]\n"
        router.arm_rollback("r1", 60, script=script)
        router.add("/ip/address", ADDRESS)
        lab.router.advance(61)
        assert (lab.router.boots, lab.router.snapshot()) == (1, before)
        assert router.reverts() == ()


def test_reverts_of_other_runs_are_in_the_way(lab, recorded):
    with lab.connect() as router:
        router.arm_rollback("r1", 60)
        again = router.arm_rollback("r1", 90)
        with pytest.raises(ConnectorError) as error:
            router.arm_rollback("r2", 60)
        assert (error.value.code, error.value.nothing_changed) == (ErrorCode.CONFLICT, True)
        assert router.reverts(but="r1") == ()
        (stale,) = router.reverts(but="r2")
        assert stale == again
        assert router.cancel_rollback(stale) is True
        router.arm_rollback("r2", 60)


def test_a_load_that_fails_leaves_no_timer(lab, recorded):
    with lab.connect() as router:
        armed = router.arm_rollback("r1", 60)
        router.remove_file(armed.file)
        lab.router.advance(61)
        assert router.reverts() == ()
    assert lab.router.boots == 1


def test_obstacles_are_seen_before(lab):
    lab.router.run("/user group add name=few policy=read,write,api,ssh,policy")
    lab.router.run("/user add name=bob password=secret-word group=few")
    lab.router.run("/user group add name=fewer policy=read,write,api,ssh")
    lab.router.run("/user add name=eve password=secret-word group=fewer")
    for username in ("bob", "eve"):
        with lab.connect(username=username) as router:
            assert [it.code for it in router.revert_obstacles()] == [Hindrance.POLICY]
    lab.router.state.facts["mode"] = "home"
    with lab.connect() as router:
        assert [it.code for it in router.revert_obstacles()] == [Hindrance.DEVICE_MODE]


def test_a_dry_run_arms_nothing(lab, plans):
    before = lab.router.snapshot()
    with lab.connect(dry_run=True) as router:
        armed = router.arm_rollback("r1", 60)
        router.cancel_rollback(armed)
    assert lab.router.snapshot() == before
    commands = [line.partition(": ")[2].split()[0] for line in plans]
    assert commands == ["/system/backup/save", "/system/scheduler/add"]
