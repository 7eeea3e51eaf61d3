"""What is told of the runs that go on: to whom, when, and how often the store is asked."""

import threading

import pytest

from patience import PATIENCE_S
from runbook.core.access import Principal
from runbook.core.outcome import Outcome
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine import activity as live
from runbook.engine.activity import Live
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.requests import ExecuteRequest
from runbook.errors import AuthenticationError

ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)
VIC = Principal("vic", Origin.API, {"roles": ["viewer"]}, grants=ALL_GRANTS)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def asked(workshop, monkeypatch):
    """Counts the questions to the store."""
    found = []
    activity = type(workshop.store.runs).activity
    monkeypatch.setattr(
        type(workshop.store.runs), "activity", lambda runs: found.append(1) or activity(runs)
    )
    return found


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def slow(workshop, clock):
    """Live over a clock that a test moves."""
    return Live(workshop.engine.parts, clock=clock)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(live, "LOOK_SECONDS", 2 * PATIENCE_S)


def shown(activity):
    return [(run.ref, run.status.value) for run in activity.active]


def end(workshop, run):
    outcome = Outcome(RunStatus.SUCCEEDED, 0)
    workshop.engine.parts.ending.end(run, outcome, RecordedOutput(), worker_id="w")


# -- looking -----------------------------------------------------------------------------------


def test_many_looks_ask_once_a_second(workshop, slow, clock, asked):
    for _ in range(5):
        slow.look()
    assert len(asked) == 1
    clock.now += live.LOOK_SECONDS
    slow.look()
    assert len(asked) == 2


def test_after_news_it_is_asked_again_but_not_at_once(workshop, slow, clock, asked):
    slow.look()
    workshop.engine.parts.wakeups.wake_followers("run-1")
    slow.look()
    assert len(asked) == 1
    clock.now += live.PAUSE_SECONDS
    slow.look()
    slow.look()
    assert len(asked) == 2


# -- who sees what -----------------------------------------------------------------------------


def test_only_what_the_caller_may_see_is_told(workshop):
    workshop.write("Open")
    workshop.write("Sre", claims="roles: sre")
    for ref in ("Open.md", "Sre.md"):
        workshop.submit(ref, ANN)
    workshop.submit("Open.md", VIC)
    seen = workshop.store.runs.activity()
    visible = workshop.engine.live.visible

    assert len(visible(seen, ANN).active) == 3
    assert shown(visible(seen, VIC)) == [("Open.md", "queued")] * 2
    (workshop.settings.runbooks_dir / "Open.md").unlink()
    assert [run.by for run in visible(seen, VIC).active] == ["vic"]
    nobody = Principal("root", Origin.CLI, {}, local=True, grants=ALL_GRANTS)
    assert len(visible(seen, nobody).active) == 3


def test_a_script_is_told_of_its_own_tree_until_it_ends(workshop):
    workshop.write("Parent")
    workshop.write("Child")
    workshop.submit("Parent.md")
    workshop.submit("Parent.md")
    parent = workshop.claim().run
    script = Principal(
        "ann", Origin.RUNBOOK, {"roles": ["sre"]}, run_id=parent.id, grants=ALL_GRANTS
    )
    workshop.engine.submit("Child.md", script, ExecuteRequest())
    visible = workshop.engine.live.visible

    assert shown(visible(workshop.store.runs.activity(), script)) == [
        ("Parent.md", "running"),
        ("Child.md", "queued"),
    ]
    end(workshop, parent)
    with pytest.raises(AuthenticationError):
        visible(workshop.store.runs.activity(), script)


# -- following ---------------------------------------------------------------------------------


def test_a_follower_is_told_at_once_and_of_each_change(workshop, quick):
    workshop.write("Job")
    changes = workshop.engine.live.follow(ANN)
    assert shown(next(changes)) == []

    workshop.submit("Job.md")
    assert shown(next(changes)) == [("Job.md", "queued")]
    run = workshop.claim().run
    workshop.engine.parts.wakeups.wake_followers(run.id)
    assert shown(next(changes)) == [("Job.md", "running")]
    end(workshop, run)
    assert shown(next(changes)) == []
    changes.close()
    assert not workshop.engine.parts.wakeups._followers


def test_a_run_that_ended_at_its_birth_is_told_by_the_revision(workshop, quick):
    workshop.write("Broken", inputs="NEEDED: a value")
    changes = workshop.engine.live.follow(ANN)
    before = next(changes)

    assert workshop.submit("Broken.md").status is RunStatus.INVALID

    after = next(changes)
    assert after.active == ()
    assert after.revision != before.revision


def test_news_that_nobody_told_of_are_found_all_the_same(workshop, monkeypatch):
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    workshop.write("Job")
    changes = workshop.engine.live.follow(ANN)
    next(changes)
    monkeypatch.setattr(workshop.engine.parts.wakeups, "_deliver", lambda run_id: None)

    workshop.submit("Job.md")

    assert shown(next(changes)) == [("Job.md", "queued")]


def test_a_heartbeat_comes_where_nothing_changes(workshop, quick):
    changes = workshop.engine.live.follow(ANN, heartbeat_s=0.05)

    assert shown(next(changes)) == []
    assert next(changes) is None
    assert next(changes) is None


def test_output_alone_tells_nobody_anything(workshop, quick):
    workshop.write("Job")
    workshop.submit("Job.md")
    run = workshop.claim().run
    changes = workshop.engine.live.follow(ANN, heartbeat_s=0.3)
    next(changes)

    stop = threading.Event()

    def print_on():
        while not stop.wait(0.01):
            workshop.engine.parts.wakeups.wake_followers(run.id)

    printing = threading.Thread(target=print_on)
    printing.start()
    try:
        assert next(changes) is None
    finally:
        stop.set()
        printing.join()


def test_many_followers_cost_no_more_than_one(workshop, asked, monkeypatch):
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(live, "LOOK_SECONDS", 2 * PATIENCE_S)
    workshop.write("Job")
    told = []

    def follow():
        changes = workshop.engine.live.follow(ANN)
        told.append(len(next(changes).active))
        told.append(len(next(changes).active))
        changes.close()

    followers = [threading.Thread(target=follow, daemon=True) for _ in range(20)]
    for thread in followers:
        thread.start()
    while told.count(0) < 20:
        assert all(thread.is_alive() for thread in followers)
        followers[0].join(0.01)
    workshop.submit("Job.md")
    for thread in followers:
        thread.join(PATIENCE_S)

    assert told == [0] * 20 + [1] * 20
    assert len(asked) < 20
