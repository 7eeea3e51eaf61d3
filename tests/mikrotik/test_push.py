"""Push, step by step, on a simulated router."""

import os
import pkgutil
import random
from contextlib import suppress

import pytest

from mikrotik.conftest import STEPS, Killed
from mikrotik.site import ADD, BROKEN, CUT, HALF, NAME
from runbook.connectors.backups import Origin
from runbook.connectors.backups.blame import blame

# What is killed here leaves its connections open, which a process would not.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
REFUSED, REVERTED = 40, 41


def settled(bench):
    """Nothing is armed, and nothing fires later."""
    boots = bench.router.boots
    bench.router.advance(86_400)
    assert "runbook-revert" not in bench.router.snapshot()
    assert bench.router.boots == boots


@pytest.mark.parametrize("version", ["6.49", "7.12", "7.18", "7.20"])
def test_a_change_is_committed_and_kept_with_its_source(bench_of, version):
    bench = bench_of(version)
    before = bench.router.snapshot()
    assert (bench.push(ADD), bench.outputs["outcome"]) == (0, "committed")
    assert bench.router.snapshot() != before
    settled(bench)
    latest, first = bench.store.history(NAME)
    assert (latest.origin, latest.source.run_id, latest.source.step) == (
        Origin.RUN,
        "run-1",
        "Apply",
    )
    assert (first.commit, latest.commit) == (bench.outputs["before"], bench.outputs["after"])
    assert [one["key"] for one in bench._earlier()] == ["mikrotik.change"]


def test_a_mistake_is_refused_and_nothing_changes(bench):
    before = bench.router.snapshot()
    for change, reason in (
        (BROKEN, "invalid_script"),
        ('/ip address\nadd address="10.0.0.1', "invalid_script"),
        ("/system reboot\n", "forbidden"),
        ("# nothing\n", "empty"),
    ):
        code = bench.push(change)
        assert (code, bench.outputs["outcome"], bench.outputs["reason"]) == (
            REFUSED,
            "refused",
            reason,
        )
    assert (bench.router.snapshot(), bench.router.boots) == (before, 1)


def test_an_import_that_fails_half_way_is_reverted(bench):
    before = bench.router.snapshot()
    assert (bench.push(HALF), bench.outputs["reason"]) == (REVERTED, "import_failed")
    assert bench.router.snapshot() == before
    settled(bench)
    # One whose first command fails has changed nothing.
    again = "/ip address\nadd address=192.168.88.1/24 interface=ether1\n"
    assert (bench.push(again), bench.outputs["reason"]) == (REFUSED, "import_failed")
    settled(bench)


def test_a_change_that_cuts_its_own_access_reverts_by_itself(bench):
    before = bench.router.snapshot()
    assert (bench.push(CUT), bench.outputs["outcome"]) == (REVERTED, "reverted")
    assert (bench.router.snapshot(), bench.router.boots) == (before, 2)
    settled(bench)


def test_what_must_be_reached_afterwards_is_verified(bench):
    before = bench.router.snapshot()
    bench.set(PING="192.0.2.1, 203.0.113.1")
    assert (bench.push(ADD), bench.outputs["reason"]) == (REVERTED, "ping")
    assert bench.router.snapshot() == before
    bench.set(PING="192.0.2.1")
    assert bench.push(ADD) == 0


def test_a_router_that_cant_revert_is_left_alone(bench):
    bench.router.state.facts["mode"] = "home"
    assert (bench.push(ADD), bench.outputs["reason"]) == (REFUSED, "device_mode")


def test_stale_reverts_are_removed(bench):
    event = '/system backup load name=old password=\\"\\"'
    bench.router.run(
        "/system scheduler add name=runbook-revert-old interval=0 start-date=2099-01-01 "
        f'start-time=00:00:00 on-event="{event}"'
    )
    assert bench.push(ADD) == 0
    settled(bench)


def test_somebody_elses_change_between_backup_and_change_is_noticed(bench):
    bench.push(ADD, STEPS[:4])
    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    assert bench.push(ADD, STEPS[4:], fresh=False) == REFUSED
    assert bench.outputs["reason"] == "changed_meanwhile"


# -- killed --------------------------------------------------------------------------------------


def killed(bench, monkeypatch, place, change=ADD, *, after=False):
    """A push that is killed before or after a function."""
    original = pkgutil.resolve_name(place)

    def dying(*given, **more):
        if after:
            original(*given, **more)
        raise Killed

    first = 8 if place.endswith("saving.save") else 0  # the backup saves, too
    if first:
        bench.push(change, STEPS[:first])
    with monkeypatch.context() as patch:
        patch.setattr(place, dying)
        with pytest.raises(Killed):
            bench.push(change, STEPS[first:], fresh=not first)


class Hits:
    """Counts what is said to the router and kept on disk, and dies at one of these moments."""

    PLACES = (
        "runbook.connectors.routeros.client.Client.raw",
        "runbook.connectors.ssh.session.Session.run",
        "runbook.connectors.ssh.session.Session.put",
        "mikrotik_toolkit.pending.Pending.at",
        "runbook.connectors.backups.git.Git.commit",
        "runbook.script.effects.intend",
        "runbook.script.effects.settle",
    )

    def __init__(self, patch):
        self.count, self.fatal, self.after = 0, None, False
        for place in self.PLACES:
            patch.setattr(place, self._counting(pkgutil.resolve_name(place)))

    def _counting(self, original):
        def hit(*given, **more):
            self.count += 1
            is_fatal = self.count == self.fatal
            if is_fatal and not self.after:
                raise Killed
            result = original(*given, **more)
            if is_fatal:
                raise Killed
            return result

        return hit


def changed_by(bench, hits, fatal, *, after):
    """Push, killed at this hit."""
    hits.count, hits.fatal, hits.after = 0, fatal, after
    with pytest.raises(Killed):
        bench.push(ADD)
    hits.fatal = None


SEEDS = range(int(os.environ.get("PUSH_SEEDS", "6")))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_push_ends_as_old_or_new_and_the_record_says_which(bench, monkeypatch, seed):
    chance = random.Random(seed)
    before = bench.router.snapshot()
    assert bench.backup() == 0
    with monkeypatch.context() as patch:
        hits = Hits(patch)
        assert bench.push(ADD) == 0
        total, new = hits.count, bench.router.snapshot()
        assert bench.call("push", "disarm") == 0
        share = (seed + chance.random()) / len(SEEDS)
        changed_by(bench, hits, 1 + int(total * share), after=chance.random() < 0.5)
    run = os.environ["RUNBOOK_RUN_ID"]
    if chance.random() < 0.3:
        bench.router.advance(600)
        bench.router.wait_until_up()
    if chance.random() < 0.3:  # the recovery is killed, too
        with monkeypatch.context() as patch:
            hits = Hits(patch)
            hits.fatal = chance.randint(1, 20)
            with suppress(Killed):
                bench.recover()

    code, outcome = bench.recover()

    is_its_own = bench.outputs["run"] == run
    found = bench.router.snapshot()
    assert (code, found) == (0, new if is_its_own and outcome == "committed" else before)
    settled(bench)
    assert bench.recover() == (0, outcome)


def test_a_retry_of_a_push_that_died_after_its_end_doesnt_push_again(bench, monkeypatch):
    killed(bench, monkeypatch, "mikrotik_toolkit.phases.close_effects", after=True)
    new = bench.router.snapshot()
    assert (bench.push(ADD), bench.outputs["outcome"]) == (0, "committed")
    assert bench.router.snapshot() == new
    assert (bench.call("push", "disarm"), bench.outputs["outcome"]) == (0, "reverted")
    assert "10.0.0.1/24" not in bench.router.snapshot()


def test_a_killed_push_reverts_by_itself(bench, monkeypatch):
    before = bench.router.snapshot()
    killed(bench, monkeypatch, "runbook.connectors.routeros.config.apply", after=True)
    bench.router.advance(301)
    bench.router.wait_until_up(boots=2)
    assert bench.router.snapshot() == before
    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    assert bench.recover() == (0, "reverted")
    assert "10.9.9.9" in bench.router.snapshot()


def test_undo_takes_a_committed_change_back_unless_others_followed(bench):
    before = bench.router.snapshot()
    assert bench.push(ADD) == 0
    bench.set(RUNBOOK_RUN_ID="run-9")
    assert (bench.call("push", "disarm"), bench.outputs["outcome"]) == (0, "reverted")
    assert bench.router.snapshot() == before
    assert bench.push(ADD) == 0
    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    assert bench.call("push", "disarm") == REFUSED


def test_lines_are_blamed_on_pushes_and_on_changes_outside(bench):
    expected = {}
    for n in range(4):
        assert bench.push(f"/ip address add address=10.1.{n}.1/24 interface=ether2\n") == 0
        expected[f"10.1.{n}.1/24"] = f"run-{n + 1}"
        if n % 2:
            bench.router.run(f"/ip address add address=10.2.{n}.1/24 interface=ether3")
            expected[f"10.2.{n}.1/24"] = None
    assert bench.backup() == 0
    found = {}
    for line in blame(bench.store, NAME):
        for address in expected:
            if address in line.text:
                is_run = line.version.origin is Origin.RUN
                found[address] = line.version.source.run_id if is_run else None
    assert found == expected


def test_backups_of_an_unchanged_router_are_one_commit(bench):
    for _ in range(5):
        assert bench.backup() == 0
        bench.router.advance(90_000)
    assert len(bench.store.history(NAME)) == 1
    assert bench.reports[-1]["last_backup"] == "now"
    # A secret isn't in the export, but its change is one.
    bench.router.run("/ppp secret add name=site password=one")
    assert bench.backup() == 0
    bench.router.run("/ppp secret set site password=two")
    assert bench.backup() == 0
    assert len(bench.store.history(NAME)) == 3
