"""Restore and Rollback, step by step, on a simulated router."""

import importlib
import os
import random
from contextlib import nullcontext, suppress

import pytest

from mikrotik.conftest import REVERT_S, SOON_S, Killed
from mikrotik.site import ADD, NAME
from mikrotik.test_push import Hits, settled

# What is killed here leaves its connections open, which a process would not.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
REFUSED, REVERTED = 40, 41
STEPS = (
    *(("restoring", "check"), ("restoring", "preview"), ("push", "back_up")),
    *(("push", "clear_stale"), ("restoring", "arm"), ("restoring", "load")),
    *(("restoring", "verify"), ("restoring", "confirm"), ("restoring", "record")),
)


def saving():
    return importlib.import_module("mikrotik_toolkit.saving")


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


def test_the_guard_of_a_restore_that_goes_on_under_another_name_stays(bench, changed):
    bench.new_run()
    assert [bench.call(*step) for step in STEPS[:6]] == [0] * 6
    bench.router.wait_until_up(boots=2)
    bench.know(name="core-one")
    assert (bench.push(ADD), bench.outputs["reason"]) == (REFUSED, "busy")
    with bench.connected() as router:
        assert [one.run_id for one in router.reverts()] == ["guard"]
        assert "runbook-revert-guard.backup" in bench.router.run("/file print")


def test_a_change_outside_is_rolled_back_to_the_latest_backup(bench, changed):
    _, new = changed
    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    assert restore(bench) == 0
    assert bench.router.snapshot() == new


def test_a_restore_that_cuts_us_off_reverts_by_itself(bench, changed, monkeypatch):
    monkeypatch.setattr("mikrotik_toolkit.guarding.AFTER_S", SOON_S)
    _, before = changed
    original = saving().binary_backup

    def cutting(router):
        bench.router.run("/ip service disable api-ssl")
        content = original(router)
        bench.router.run("/ip service enable api-ssl")
        return content

    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    with monkeypatch.context() as patch:
        patch.setattr(saving(), "binary_backup", cutting)
        assert bench.backup() == 0
    bench.router.run("/ip address remove [find address=10.9.9.9/24]")
    boots, wanted = bench.router.boots, bench.store.history(NAME)[0].commit
    assert (restore(bench, VERSION=wanted), bench.outputs["reason"]) == (REVERTED, "cut_off")
    assert (bench.router.snapshot(), bench.router.boots) == (before, boots + 2)
    settled(bench)


def test_a_backup_that_somebody_else_loads_reverts_nothing(bench, changed):
    """Nor does one that an undo loads: it has the guard, but not its file."""
    old, _ = changed
    bench.set(RUNBOOK_RUN_ID="run-9")
    assert bench.call("push", "disarm") == 0
    assert bench.router.snapshot() == old
    settled(bench)
    with bench.connected() as router:
        file = saving().put_backup(router, bench.store.binary(NAME))
        router.call("/system/backup/load", {"name": file, "password": ""})
    boots = bench.router.boots
    bench.router.wait_until_up(boots=boots + 1)
    loaded = bench.router.snapshot()
    bench.router.advance(2 * REVERT_S)
    assert bench.router.boots == boots + 1
    assert "runbook-revert" in loaded
    assert "runbook-revert" not in bench.router.snapshot()


def test_what_may_lock_us_out_or_is_damaged_is_refused(bench, changed, monkeypatch):
    first = bench.store.history(NAME)[-1].commit
    bench.router.run("/ip service set api address=192.168.0.0/16")
    with monkeypatch.context() as patch:  # as if it were an older one
        patch.setattr("mikrotik_toolkit.guarding.planted", lambda router: nullcontext(False))
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


SEEDS = range(int(os.environ.get("RESTORE_SEEDS", "2")))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_restore_that_is_killed_anywhere_ends_as_old_or_new(bench, changed, monkeypatch, seed):
    old, new = changed
    chance = random.Random(seed)
    monkeypatch.setattr("mikrotik_toolkit.recovery.QUIET_S", 0.5)
    with monkeypatch.context() as patch:
        hits = Hits(patch)
        assert restore(bench) == 0
        total = hits.count
        assert restore(bench) == 0
        assert bench.router.snapshot() == new
        hits.count, hits.after = 0, chance.random() < 0.5
        hits.fatal = 1 + int(total * (seed + chance.random()) / len(SEEDS))
        with suppress(Killed):
            restore(bench)
    run = os.environ["RUNBOOK_RUN_ID"]
    if chance.random() < 0.3:
        bench.router.advance(2 * REVERT_S)
        bench.router.wait_until_up()
    code, outcome = bench.recover()
    is_its_own = bench.outputs["run"] == run
    expected = old if is_its_own and outcome == "committed" else new
    assert (code, bench.router.snapshot()) == (0, expected)
    settled(bench)
