"""Restore and Rollback, step by step, on a simulated router."""

import pytest

from mikrotik.conftest import Killed
from mikrotik.site import ADD, NAME

REFUSED, REVERTED = 40, 41
STEPS = (
    *(("restoring", "check"), ("restoring", "preview"), ("push", "back_up")),
    *(("push", "clear_stale"), ("restoring", "load"), ("restoring", "verify")),
    ("restoring", "record"),
)


def restore(bench, **inputs):
    bench.new_run()
    bench.set(**inputs)
    for module, function in STEPS:
        if code := bench.call(module, function):
            return code
    return 0


@pytest.fixture
def changed(bench):
    """A router with two versions; the snapshots of both."""
    bench.router.run("/user add name=old group=full password=old-word")
    old = bench.router.snapshot()
    assert bench.push(ADD) == 0
    return old, bench.router.snapshot()


def test_rollback_takes_the_last_change_back_and_again_forth(bench, changed):
    old, new = changed
    bench.router.run("/user remove old")
    assert (restore(bench), bench.outputs["outcome"]) == (0, "committed")
    assert bench.router.snapshot() == old
    assert "old" in bench.router.run("/user print")
    assert "runbook-restore" not in bench.router.run("/file print")
    assert bench.store.history(NAME)[0].source.step == "Restore"
    assert restore(bench) == 0
    assert bench.router.snapshot() == new


def test_a_change_outside_is_rolled_back_to_the_latest_backup(bench, changed):
    _, new = changed
    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    assert restore(bench) == 0
    assert bench.router.snapshot() == new


def test_what_may_lock_us_out_or_is_damaged_is_refused(bench, changed):
    _, new = changed
    first = bench.store.history(NAME)[-1].commit
    bench.router.run("/ip service set api address=192.168.0.0/16")
    bench.backup()
    bench.router.run('/ip service set api address=""')
    before = bench.router.snapshot()
    assert (restore(bench), bench.outputs["reason"]) == (REFUSED, "risky")
    assert restore(bench, VERSION="abcdef0") == REFUSED
    (bench.folder / "data" / "keys" / "device-backups").unlink()
    assert restore(bench, VERSION=first) == REFUSED
    assert bench.router.snapshot() == before


def test_a_restore_that_breaks_what_must_be_reached_is_taken_back(bench, changed):
    _, new = changed
    bench.set(PING="203.0.113.1")
    assert (restore(bench), bench.outputs["reason"]) == (REVERTED, "ping")
    assert bench.router.snapshot() == new


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_killed_restore_ends_as_old_or_new_and_the_record_says_which(
    bench, changed, monkeypatch, after
):
    from mikrotik_toolkit import reaching

    old, new = changed
    load = reaching.load_stored

    def dying(*given):
        if after:
            load(*given)
        raise Killed

    monkeypatch.setattr("mikrotik_toolkit.recovery.QUIET_S", 0.5)
    with monkeypatch.context() as patch:
        patch.setattr(reaching, "load_stored", dying)
        with pytest.raises(Killed):
            restore(bench)
    assert bench.recover() == (0, "committed" if after else "reverted")
    assert bench.router.snapshot() == (old if after else new)
