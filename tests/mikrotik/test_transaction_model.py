"""FleetPush in a world without sockets: killed at any moment, with routers that get lost."""

import os
import random
from contextlib import suppress

import pytest

from mikrotik.conftest import Killed
from mikrotik.model import CHANGE, LOST, Runs, World, forget_toolkit, load_toolkit

NAMES = tuple(f"r{n}" for n in range(4))
SEEDS = range(int(os.environ.get("MODEL_SEEDS", "60")))


@pytest.fixture
def runs(monkeypatch, tmp_path):
    load_toolkit(monkeypatch)
    yield Runs(World(NAMES, tmp_path), monkeypatch)
    forget_toolkit()


def with_change(world):
    return {router.name for router in world.routers.values() if CHANGE in router.lines}


def settled(world):
    """Nothing is armed, and nothing is left that holds secrets."""
    for router in world.routers.values():
        assert (router.timers, router.files) == ({}, {})


def killed_with(runs, confirmed):
    """A push that is killed once so many routers are confirmed."""
    world = runs.world

    def watch():
        files = (world.folder / "backups" / "transactions").glob("*.json")
        is_decided = any('"decision": "commit"' in path.read_text() for path in files)
        changes = [it.read_text() for it in (world.folder / "backups" / "pending").glob("*.json")]
        if is_decided and sum('"confirmed"' in text for text in changes) == confirmed:
            world.dead = True
            raise Killed

    world.watch = watch
    with pytest.raises(Killed):
        runs.push()
    world.watch = lambda: None
    world.revive()


def test_all_are_committed(runs):
    assert (runs.push(), runs.outcome) == (0, "committed")
    assert with_change(runs.world) == set(NAMES)
    settled(runs.world)
    assert runs.undo() == 0
    assert with_change(runs.world) == set()
    settled(runs.world)


@pytest.mark.parametrize("confirmed", [1, 3])
@pytest.mark.parametrize("how", ["recover", "resume", "push", "recover_one"])
def test_what_was_decided_is_carried_out_in_time(runs, confirmed, how):
    killed_with(runs, confirmed)
    given = (NAMES[-1],) if how == "recover_one" else ()
    assert (getattr(runs, how)(*given), runs.outcome) == (0, "committed")
    assert with_change(runs.world) == set(NAMES)
    settled(runs.world)


@pytest.mark.parametrize("confirmed", [1, 3])
def test_if_it_is_too_late_the_confirmed_ones_go_back_too(runs, confirmed):
    killed_with(runs, confirmed)
    runs.world.sleep(400)
    assert len(with_change(runs.world)) == confirmed
    assert (runs.recover(), runs.outcome) == (0, "reverted")
    assert with_change(runs.world) == set()
    settled(runs.world)


def test_a_router_that_is_away_holds_the_others_up_only_until_it_is_too_late(runs):
    killed_with(runs, 0)
    runs.world.routers["r2"].is_away = True
    began = runs.world.now
    code = runs.recover()
    assert (code, runs.outcome) == (42, "unknown")
    assert with_change(runs.world) == set()  # on this one, the revert fired
    assert runs.world.now - began > 200
    runs.world.routers["r2"].is_away = False
    assert (runs.recover_one("r2"), runs.outcome) == (0, "reverted")
    settled(runs.world)


def test_a_confirmed_router_that_was_changed_since_is_left_to_people(runs):
    killed_with(runs, 1)
    (confirmed,) = (it for it in runs.world.routers.values() if not it.timers)
    runs.world.sleep(400)
    confirmed.lines = (*confirmed.lines, "/ip address add address=10.9.9.9/24")
    confirmed.booted = runs.world.now  # it has restarted since, too
    assert (runs.recover(), runs.outcome) == (42, "unknown")
    assert with_change(runs.world) == {confirmed.name}
    assert (runs.push(), runs.outcome) == (42, "unknown")
    assert (runs.recover_one(confirmed.name, "go back"), runs.outcome) == (0, "reverted")
    assert (runs.recover(), runs.outcome) == (0, "none")


def test_an_undo_is_refused_as_a_whole(runs):
    assert runs.push() == 0
    other = runs.world.routers["r3"]
    other.lines = (*other.lines, "/ip address add address=10.9.9.9/24")
    assert (runs.undo(), runs.outcome) == (40, "refused")
    assert with_change(runs.world) == set(NAMES)


@pytest.mark.parametrize(
    ("inputs", "reason"), [({"REVERT_AFTER": "12"}, "too_short"), ({"CHANGE": "#"}, "empty")]
)
def test_what_cannot_work_is_refused_before_anything_is_armed(runs, monkeypatch, inputs, reason):
    for name, value in inputs.items():
        monkeypatch.setenv(name, value)
    assert (runs.push(), runs.outputs["reason"]) == (40, reason)
    assert not any(router.files for router in runs.world.routers.values())


def test_a_revert_that_has_just_fired_is_not_taken_for_one_that_was_confirmed(runs):
    killed_with(runs, 3)
    (due,) = (due for it in runs.world.routers.values() for due, _ in it.timers.values())
    runs.world.sleep(due + 0.1 - runs.world.now)
    assert len(with_change(runs.world)) == len(NAMES)  # it is about to restart
    assert (runs.recover(), runs.outcome) == (0, "reverted")
    assert with_change(runs.world) == set()


class Loss:
    """A router that is lost a while after it got the change, by its configuration or otherwise."""

    def __init__(self, world, chance):
        self.router = world.routers[chance.choice(NAMES)]
        self.world, self.chance = world, chance
        self.after_s = chance.uniform(0, 25)
        self.by_config = chance.random() < 0.5
        self.router.when_away = chance.choice(("drop", "arrives"))
        self.since = None
        self.is_over = False

    def watch(self):
        if CHANGE not in self.router.lines or self.is_over:
            return
        self.since = self.since or self.world.now
        if self.world.now - self.since > self.after_s:
            self.is_over = True
            if self.by_config:
                self.router.lines = (*self.router.lines, LOST)
            else:
                self.router.is_away = True

    def mend(self):
        self.is_over = True
        self.router.is_away = False
        self.router.lines = tuple(line for line in self.router.lines if line != LOST)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_any_moment_with_a_lost_router_all_are_old_or_new(runs, seed):
    chance, world = random.Random(seed), runs.world
    loss = Loss(world, chance) if chance.random() < 0.6 else None
    if loss:
        world.watch = loss.watch
    world.fatal, world.after = chance.randint(60, 420), chance.random() < 0.5
    with suppress(Killed):
        runs.push()
    world.revive()
    if chance.random() < 0.3:
        world.sleep(400)
    for _ in range(chance.randint(0, 2)):  # recoveries that are killed, too
        how = chance.choice(("recover", "recover_one", "resume", "undo"))
        world.fatal, world.after = chance.randint(1, 150), chance.random() < 0.5
        with suppress(Killed):
            getattr(runs, how)(*((chance.choice(NAMES),) if how == "recover_one" else ()))
        world.revive()

    code = runs.recover()
    outcome = runs.outcome
    if loss and code:
        assert outcome == "unknown"
        loss.mend()
        code, outcome = runs.recover(), runs.outcome

    assert code == 0
    assert len(with_change(world)) in (0, len(NAMES))
    if outcome != "none":
        assert bool(with_change(world)) is (outcome == "committed")
    world.sleep(1000)
    assert len(with_change(world)) in (0, len(NAMES))
    assert not any(router.timers for router in world.routers.values())
