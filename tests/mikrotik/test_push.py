"""Push, step by step, on a simulated router."""

import importlib
import os
import pkgutil
import random
import shutil
from contextlib import suppress

import pytest

from mikrotik.conftest import REVERT_S, SOON_S, STEPS, Killed
from mikrotik.site import ADD, BROKEN, CUT, HALF, NAME
from runbook.connectors.backups import Origin
from runbook.connectors.backups.blame import blame
from runbook.connectors.ssh.session import CommandResult

# What is killed here leaves its connections open, which a process would not.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
REFUSED, REVERTED, UNKNOWN = 40, 41, 42
KEY = "mikrotik.change"
MORE = "/ip address\nadd address=10.0.0.2/24 interface=ether2\n"


def settled(bench):
    """Nothing is armed, and nothing fires later."""
    boots = bench.router.boots
    bench.router.advance(86_400)
    assert "runbook-revert" not in bench.router.snapshot()
    assert "runbook-re" not in bench.router.run("/file print")
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
    assert [one["key"] for one in bench._earlier()] == [KEY]


def test_a_mistake_is_refused_and_nothing_changes(bench):
    before = bench.router.snapshot()
    can_try = bench.router.release.text >= "7.16"
    for change, reason in (
        (BROKEN, "invalid_script" if can_try else "import_failed"),
        ('/ip address\nadd address="10.0.0.1', "invalid_script"),
        ("/system reboot\n", "forbidden"),
        (ADD + "/sys reset-conf no-defaults=yes", "forbidden"),
        (ADD + "/system scheduler remove [find]", "forbidden"),
        ("# nothing\n", "empty"),
    ):
        code = bench.push(change)
        said = (code, bench.outputs["outcome"], bench.outputs["reason"])
        assert said == (REFUSED, "refused", reason)
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


def test_a_change_that_cuts_its_own_access_reverts_by_itself(bench, monkeypatch, capsys):
    bench.set(REVERT_AFTER=str(SOON_S))
    before, said = bench.router.snapshot(), []
    monkeypatch.setattr("runbook.progress", lambda percent, text="": said.append(text))
    assert (bench.push(CUT), bench.outputs["outcome"]) == (REVERTED, "reverted")
    assert (bench.router.snapshot(), bench.router.boots) == (before, 2)
    assert "api-ssl" not in capsys.readouterr().out  # nothing is wrong with it
    assert (
        importlib.import_module("mikrotik_toolkit.pending").last(NAME).due in said[-1]
    )  # what is shown until then says how long that is
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


def test_a_change_that_also_sets_the_clock_back_reverts_in_time(bench):
    bench.set(REVERT_AFTER=str(SOON_S))
    before = bench.router.snapshot()
    assert bench.push(f"/system clock set date=2020-01-01 time=00:00:00\n{CUT}") == REVERTED
    assert (bench.router.snapshot(), bench.router.boots) == (before, 2)


def test_stale_reverts_are_removed(bench):
    event = '/system backup load name=old password=\\"\\"'
    bench.router.run(
        "/system scheduler add name=runbook-revert-old interval=0 start-date=2099-01-01 "
        f'start-time=00:00:00 on-event="{event}"'
    )
    assert bench.push(ADD) == 0
    settled(bench)


def test_the_revert_of_a_run_that_goes_on_under_another_name_stays(bench):
    assert bench.push(CUT, STEPS[:5]) == 0  # it has armed its revert
    bench.know(name="core-one")
    assert (bench.push(ADD), bench.outputs["reason"]) == (REFUSED, "busy")
    with bench.connected() as router:
        (armed,) = router.reverts()
        assert armed.run_id == "run-1"
        router.cancel_rollback(armed)
    assert bench.push(ADD) == 0


def test_files_that_killed_runs_have_left_are_removed_after_a_while(bench):
    bench.router.run("/export file=runbook-0123456789ab")
    bench.router.run("/export file=my-own")
    bench.router.advance(3700)
    bench.router.run("/export file=runbook-ba9876543210")
    assert bench.push(ADD) == 0
    files = bench.router.run("/file print")
    assert [name in files for name in ("0123456789ab", "ba9876543210", "my-own")] == [
        False,
        True,
        True,
    ]


def test_a_push_that_is_cancelled_before_it_is_confirmed_goes_back(bench, monkeypatch):
    before = bench.router.snapshot()

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mikrotik_toolkit.push.missing", stop)
        with pytest.raises(KeyboardInterrupt):
            bench.push(ADD)
    assert bench.recover() == (0, "reverted")
    assert bench.router.snapshot() == before
    settled(bench)


def test_a_recovery_says_what_became_of_its_own_run(bench, monkeypatch):
    assert bench.push(ADD) == 0
    bench.set(RUNBOOK_RECOVERS="run-7")
    assert bench.recover() == (0, "refused")
    assert (bench.outputs["run"], bench.outputs["reason"]) == ("run-7", "never_began")
    killed(bench, monkeypatch, "mikrotik_toolkit.push.missing", change=MORE)
    run = os.environ["RUNBOOK_RUN_ID"]
    bench.set(RUNBOOK_RECOVERS=run)
    assert bench.recover() == (0, "committed")
    assert bench.outputs["run"] == run
    (change,) = (it for it in bench.effects if it["id"].startswith(f"{run}/") and it["key"] == KEY)
    assert change["state"] == "done"
    assert bench.recover() == (0, "committed")


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
        self.said = []
        for place in self.PLACES:
            patch.setattr(place, self._counting(pkgutil.resolve_name(place)))

    def _counting(self, original):
        def hit(*given, **more):
            self.count += 1
            self.said.append(str(given[1:2]))
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


SEEDS = range(int(os.environ.get("PUSH_SEEDS", "4")))


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
        bench.router.advance(2 * REVERT_S)
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


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_a_killed_undo_ends_as_old_or_new_and_the_record_says_which(bench, monkeypatch, seed):
    chance = random.Random(seed)
    before = bench.router.snapshot()
    assert bench.backup() == 0
    assert bench.push(ADD) == 0
    new = bench.router.snapshot()
    with monkeypatch.context() as patch:
        hits = Hits(patch)
        hits.fatal = 1 + int(40 * (seed + chance.random()) / len(SEEDS))
        hits.after = chance.random() < 0.5
        with suppress(Killed):
            bench.call("push", "disarm")
    code, outcome = bench.recover()
    assert (code, bench.router.snapshot()) == (0, new if outcome == "committed" else before)
    settled(bench)


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
    bench.router.advance(REVERT_S + 1)
    bench.router.wait_until_up(boots=2)
    assert bench.router.snapshot() == before
    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    assert bench.recover() == (0, "reverted")
    assert "10.9.9.9" in bench.router.snapshot()


def test_the_timer_of_a_killed_push_never_reverts_a_later_one(bench, monkeypatch):
    killed(bench, monkeypatch, "runbook.connectors.routeros.config.apply", after=True)
    assert "runbook-revert" in bench.router.snapshot()
    assert bench.push(MORE) == 0
    good = bench.router.snapshot()
    assert ("10.0.0.1/24" in good, "10.0.0.2/24" in good) == (False, True)
    settled(bench)
    assert bench.router.snapshot() == good


def test_what_may_be_another_router_never_gets_the_backup(bench, monkeypatch):
    killed(bench, monkeypatch, "runbook.connectors.routeros.config.apply", after=True)
    with bench.connected() as router:
        router.cancel_rollback(*router.reverts())
    new = bench.router.snapshot()
    bench.know(host="localhost")
    assert bench.recover(DECISION="go back") == (UNKNOWN, "unknown")
    assert (bench.outputs["reason"], bench.router.snapshot(), bench.router.boots) == (
        "moved",
        new,
        1,
    )
    bench.know()
    assert bench.recover(DECISION="go back") == (0, "reverted")


def test_the_timer_of_another_servers_push_is_waited_for(bench, monkeypatch):
    killed(bench, monkeypatch, "runbook.connectors.routeros.config.apply", after=True)
    shutil.rmtree(bench.folder / "data" / "device-backups" / "pending")
    assert (bench.push(MORE), bench.outputs["reason"]) == (REFUSED, "busy")
    bench.router.advance(REVERT_S + 1)
    bench.router.wait_until_up(boots=2)
    assert bench.push(MORE) == 0
    good = bench.router.snapshot()
    assert ("10.0.0.1/24" in good, "10.0.0.2/24" in good) == (False, True)
    settled(bench)


def test_undo_takes_a_committed_change_back_unless_others_followed(bench):
    before = bench.router.snapshot()
    assert bench.push(ADD) == 0
    bench.set(RUNBOOK_RUN_ID="run-9")
    assert (bench.call("push", "disarm"), bench.outputs["outcome"]) == (0, "reverted")
    assert bench.router.snapshot() == before
    assert bench.push(ADD) == 0
    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    assert bench.call("push", "disarm") == REFUSED


PUSHES, EDITS = (int(it) for it in os.environ.get("PUSHES_EDITS", "3 1").split())


def test_lines_are_blamed_on_pushes_and_on_changes_outside(bench):
    chance = random.Random(7)
    expected = {}
    edits = set(chance.sample(range(PUSHES), EDITS))
    for n in range(PUSHES):
        # A change replaces a line of an earlier one now and then.
        gone = chance.choice([*expected]) if n and chance.random() < 0.3 else None
        remove = f"/ip address remove [find address={gone}]\n" if gone else ""
        expected.pop(gone, None)
        added = f"10.1.{n}.1/24"
        change = f"{remove}/ip address add address={added} interface=ether2\n"
        assert bench.push(change) == 0
        expected[added] = os.environ["RUNBOOK_RUN_ID"]
        if n in edits:
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


BACKUPS = int(os.environ.get("BACKUPS", "2"))


@pytest.mark.parametrize("version", ["6.49", "7.12", "7.18", "7.20"])
def test_polls_and_backups_of_an_unchanged_router_are_one_commit(bench_of, version):
    bench = bench_of(version)
    bench.set(ROUTER=NAME)
    bench.router.run("/ip address add address=10.9.9.9/24 interface=ether3")
    found = []
    for _ in range(BACKUPS):
        assert bench.backup() == 0
        assert bench.reports[-1]["last_backup"] == "now"
        bench.router.advance(90_000)
        assert bench.call("watch.polling", "main") == 0
        bench.know(**bench.reports[-1]["facts"])
        found.append(bench.outputs["CONFIG_CHANGED"])
    assert len(bench.store.history(NAME)) == 1
    assert found == ["first", *["no"] * (BACKUPS - 1)]


def test_a_changed_secret_is_a_commit_though_no_export_shows_it(bench):
    for secret in ("one", "two"):
        bench.router.run("/ppp secret remove [find]")
        bench.router.run(f"/ppp secret add name=site password={secret}")
        assert bench.backup() == 0
    newer, older = bench.store.history(NAME)
    assert bench.store.export(NAME, newer.commit) == bench.store.export(NAME, older.commit)


def test_a_second_vantage_point_must_reach_the_router(bench, monkeypatch):
    asked = []

    class Server:
        def __init__(self, name):
            assert name == "VANTAGE"

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def run(self, command, **options):
            asked.append(command)
            return CommandResult("", "", 0 if "192.0.2.7" in command else 1)

    monkeypatch.setattr("runbook.connectors.ssh.connect", Server)
    before = bench.router.snapshot()
    bench.set(VANTAGE="jump", VANTAGE_ADDRESS="192.0.2.8")
    assert (bench.push(ADD), bench.outputs["reason"]) == (REVERTED, "vantage")
    assert bench.router.snapshot() == before
    bench.set(VANTAGE_ADDRESS="192.0.2.7")
    assert bench.push(ADD) == 0
    assert all(str(bench.router.api_ssl_port) in command for command in asked)


def test_what_nobody_can_tell_is_unknown_until_somebody_decides(bench, monkeypatch):
    with monkeypatch.context() as patch:
        hits = Hits(patch)
        assert bench.push(ADD) == 0
        assert bench.call("push", "disarm") == 0
        applied = next(n for n, what in enumerate(hits.said, 1) if "applied" in what)
        changed_by(bench, hits, applied, after=False)
    # Somebody removes the revert, which was the only way to know.
    bench.router.run("/system scheduler remove [find]")
    assert bench.recover() == (42, "unknown")
    assert bench.push(ADD) == 42
    assert bench.recover(DECISION="go back") == (0, "reverted")
    settled(bench)
