"""FleetPush on simulated routers: all of them get the change, or none."""

import importlib
import time

import pytest

from mikrotik.conftest import REVERT_S, Killed
from mikrotik.fleet import BEFORE_CHANGES, STEPS, FleetBench, Hits
from mikrotik.site import ADD, HALF, PASSWORD, Site
from patience import PATIENCE_S
from runbook.connectors.backups import Origin
from runbook.lab.routeros.router import Router

# What is killed here leaves its connections open, which a process would not.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
REFUSED, REVERTED = 40, 41
NAMES = ("core-1", "core-2", "core-3")


@pytest.fixture
def fleet(bench_of, tmp_path, monkeypatch):
    """Three routers. One is started by the other fixture, which patches what makes steps wait."""
    options = {"clock_rate": 1, "boot_seconds": 0.3}
    routers = {NAMES[0]: bench_of(**options).router}
    for name in NAMES[1:]:
        routers[name] = Router("7.18", password=PASSWORD, identity=name, **options).start()
    importlib.import_module("mikrotik_toolkit.transaction.steps")
    yield FleetBench(_made(tmp_path / "fleet"), monkeypatch, routers)
    for name in NAMES[1:]:
        routers[name].stop()


def _made(folder):
    folder.mkdir()
    return folder


def settled(fleet):
    """Nothing is armed, and nothing fires later."""
    boots = fleet.advance(86_400)
    for name, router in fleet.routers.items():
        assert "runbook-revert" not in router.snapshot()
        assert "runbook-re" not in router.run("/file print")
        assert router.boots == boots[name]


def is_new(fleet):
    """Whether all have the change; None if only some have it."""
    found = {"10.0.0.1/24" in text for text in fleet.snapshots().values()}
    return found.pop() if len(found) == 1 else None


def test_all_routers_are_committed_and_backed_up_with_their_source(fleet):
    assert (fleet.push_all(ADD), fleet.outputs["outcome"]) == (0, "committed")
    assert is_new(fleet)
    settled(fleet)
    for name in NAMES:
        latest, _ = fleet.store.history(name)
        assert (latest.origin, latest.source.run_id) == (Origin.RUN, "run-1")
        assert fleet.rows()[name]["state"] == "committed"
    assert fleet.undo() == 0
    assert is_new(fleet) is False
    settled(fleet)


def test_a_dry_run_of_one_or_several_plans_the_same_and_changes_nothing(fleet, monkeypatch):
    before, plans = fleet.snapshots(), []
    fleet._connect("ROUTER", NAMES[0], fleet.routers[NAMES[0]])
    fleet.set(RUNBOOK_DRY_RUN="true")
    monkeypatch.setattr("runbook.plan", lambda text, **_: plans.append(text))
    assert fleet.push_all(ADD) == 0
    several, plans[:] = [*plans], []
    assert fleet.push(ADD) == 0
    assert "/ip address: 1 add, 0 set, 0 remove, 0 other" in {*plans} & {*several}
    assert sum(text.startswith("revert after") for text in (*plans, *several)) == 2
    assert fleet.snapshots() == before
    reboot = "/system reboot\n"
    for push in (fleet.push_all, fleet.push):
        assert (push(reboot), fleet.outputs["reason"]) == (REFUSED, "forbidden")


def test_one_router_that_refuses_leaves_all_alone(fleet):
    before = fleet.snapshots()
    fleet.routers["core-2"].state.facts["mode"] = "home"
    assert (fleet.push_all(ADD), fleet.outputs["reason"]) == (REFUSED, "device_mode")
    assert fleet.rows()["core-2"]["state"] == "failed"
    fleet.routers["core-2"].state.facts["mode"] = "advanced"
    assert (fleet.push_all(ADD, REVERT_AFTER="8"), fleet.outputs["reason"]) == (
        REFUSED,
        "too_short",
    )
    fleet.set(REVERT_AFTER=str(REVERT_S))
    fleet.push_all(ADD, BEFORE_CHANGES[:-1])
    fleet.routers["core-3"].run("/ip address add address=10.9.9.9/24 interface=ether3")
    before["core-3"] = fleet.routers["core-3"].snapshot()
    assert (fleet.step("arm"), fleet.outputs["reason"]) == (REFUSED, "changed_meanwhile")
    assert fleet.snapshots() == before
    assert {router.boots for router in fleet.routers.values()} == {1}
    settled(fleet)


def test_one_router_on_which_the_change_fails_takes_all_back(fleet):
    before = fleet.snapshots()
    assert fleet.push_all(ADD, BEFORE_CHANGES) == 0
    checking = importlib.import_module("mikrotik_toolkit.checking")
    current = importlib.import_module("mikrotik_toolkit.current")
    fleet._patch.setattr(
        checking, "script", lambda: HALF if current.one_of_several() == "core-2" else ADD
    )
    code = fleet.push_all(ADD, STEPS[4:], fresh=False)
    assert (code, fleet.outputs["reason"]) == (REVERTED, "import_failed")
    assert fleet.snapshots() == before
    settled(fleet)


def test_a_router_that_reverts_after_it_was_verified_takes_all_back(fleet):
    before = fleet.snapshots()
    assert fleet.push_all(ADD, STEPS[:6]) == 0
    fleet.routers["core-2"].advance(REVERT_S + 1)
    assert (fleet.step("confirm"), fleet.outputs["outcome"]) == (REVERTED, "reverted")
    assert fleet.snapshots() == before
    settled(fleet)


# -- killed --------------------------------------------------------------------------------------


def killed_between_confirms(fleet, patch, confirmed=1):
    """Killed once so many routers are confirmed."""
    hits = Hits(patch)
    original = importlib.import_module("mikrotik_toolkit.durable").write

    def write(path, text):
        original(path, text)
        if '"confirmed"' in text:
            write.left -= 1
            hits.dead = write.left <= 0

    write.left = confirmed
    patch.setattr("mikrotik_toolkit.durable.write", write)
    fleet.set(PARALLEL="1")
    with pytest.raises(Killed):
        fleet.push_all(ADD)
    fleet.set(PARALLEL="2")


@pytest.mark.parametrize("how", ["one", "push"])
def test_what_was_decided_is_carried_out_by_runs_for_one_router(fleet, monkeypatch, how):
    with monkeypatch.context() as patch:
        killed_between_confirms(fleet, patch)
    assert is_new(fleet)
    assert sum("runbook-revert" in text for text in fleet.snapshots().values()) == 2
    if how == "one":
        assert fleet.recover_one("core-3") == (0, "committed")
    else:
        change = "/ip address add address=10.7.7.7/24 interface=ether3\n"
        assert fleet.push(change) == 0
    assert is_new(fleet)
    settled(fleet)


def test_what_cant_be_confirmed_any_more_goes_back_and_the_confirmed_one_too(fleet, monkeypatch):
    before = fleet.snapshots()
    with monkeypatch.context() as patch:
        killed_between_confirms(fleet, patch)
    fleet.advance(REVERT_S + 1)
    fleet.wait_until_up()
    assert is_new(fleet) is None
    assert fleet.recover_all() == (0, "reverted")
    assert fleet.snapshots() == before
    settled(fleet)


# -- real processes ------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


def test_pushrecover_of_one_router_carries_the_decision_out_on_all(site):
    names = [f"edge-{n}" for n in range(4)]
    for name in names:
        router = site.add(name, clock_rate=1, boot_seconds=0.3)
        router.faults.matching = "scheduler/remove"
        router.faults.slow = 1.0  # so that there is a moment between two confirms
    started = site.toolkits.start_execute(
        "mikrotik/FleetPush.md",
        DEVICES=",".join(names),
        CHANGE=ADD,
        PARALLEL="1",
        REVERT_AFTER="300",
    )
    pending = site.toolkits.folder / "data" / "device-backups" / "pending"

    def confirmed():
        return [it for it in pending.glob("*.json") if '"confirmed"' in it.read_text()]

    wait_until(lambda: confirmed() or started.poll() is not None)
    run = site.kill(started, 0)
    armed = [name for name in names if "runbook-revert" in site.routers[name].snapshot()]
    assert 0 < len(armed) < len(names)
    for name in names:
        site.routers[name].faults.slow = 0.0

    done = site.execute("PushRecover", router=armed[-1])

    assert (done.code, done.outputs["outcome"], done.outputs["run"]) == (0, "committed", run)
    for name in names:
        text = site.routers[name].snapshot()
        assert "10.0.0.1/24" in text
        assert "runbook-revert" not in text
        assert site.store.history(name)[0].source.run_id == run


def wait_until(is_so):
    deadline = time.monotonic() + 4 * PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
