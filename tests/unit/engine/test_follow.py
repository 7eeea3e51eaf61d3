"""Following a run: resuming, heartbeats, and when it ends."""

import itertools
import threading

import pytest

from runbook.api import wire
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.status import RunStatus
from runbook.engine.record.history_entry import RecordedOutput
from runbook.store.models import NewEvent


@pytest.fixture
def run(workshop):
    workshop.write("Quick")
    workshop.submit("Quick.md")
    return workshop.claim().run


def end(workshop, run):
    outcome = Outcome(RunStatus.SUCCEEDED, 0)
    workshop.engine.parts.ending.end(run, outcome, RecordedOutput(), worker_id="w")


def print_line(workshop, run, number):
    text = f"line {number}\n"
    event = NewEvent(1, EventType.STDOUT, text=text, line=number, offset=(number - 1) * 7)
    workshop.store.events.append(run.id, [event], worker_id="w")
    workshop.engine.parts.wakeups.wake_followers(run.id)


def test_whoever_resumes_at_any_number_sees_the_rest(workshop, run):
    for number in range(1, 6):
        print_line(workshop, run, number)
    end(workshop, run)
    whole = list(workshop.engine.follow(run.id))

    assert [event.n for event in whole] == list(range(1, 9))
    for after in range(9):
        assert list(workshop.engine.follow(run.id, after=after)) == whole[after:]


def test_silence_is_filled_with_heartbeats(workshop, run):
    events = workshop.engine.follow(run.id, heartbeat_s=0.01)

    seen = [event for event in itertools.islice(events, 5) if event is None]
    assert len(seen) == 3  # queued, started, and then nothing happens
    end(workshop, run)
    assert [e.type for e in events if e is not None] == [EventType.DONE]


def test_the_stream_sends_heartbeats_as_comments(workshop, run):
    class Hasty:
        """The engine with a shorter heartbeat than the fifteen seconds of the real one."""

        @staticmethod
        def follow(run_id, *, after):
            return workshop.engine.follow(run_id, after=after, heartbeat_s=0.01)

    stream = wire.json_events(Hasty, run.id, 0)
    pieces = list(itertools.islice(stream, 7))
    end(workshop, run)
    pieces += stream

    blocks = b"".join(pieces).decode().removesuffix("\n\n").split("\n\n")
    assert blocks[0].startswith("event: queued\nid: 1\n")
    assert blocks[2:4] == [": still here"] * 2
    assert blocks[-1].startswith("event: done\nid: 3\n")
    assert sum("event: done" in block for block in blocks) == 1


def test_events_of_another_thread_arrive_in_order(workshop, run):
    def work():
        for number in range(1, 101):
            print_line(workshop, run, number)
        end(workshop, run)

    worker = threading.Thread(target=work)
    worker.start()
    numbers = [event.n for event in workshop.engine.follow(run.id) if event]
    worker.join()

    assert numbers == list(range(1, 104))


@pytest.mark.parametrize("beyond", [0, 1, 1000])
def test_who_has_seen_the_end_does_not_wait(workshop, run, beyond, monkeypatch):
    monkeypatch.setattr("runbook.engine.runs.POLL_SECONDS", 3600)
    end(workshop, run)
    last = workshop.store.runs.get(run.id).log.last_event

    assert list(workshop.engine.follow(run.id, after=last + beyond)) == []


def test_a_run_that_is_deleted_meanwhile_lets_its_followers_go(workshop, run, monkeypatch):
    monkeypatch.setattr("runbook.engine.runs.POLL_SECONDS", 0.01)
    events = workshop.engine.follow(run.id)
    assert next(events).n == 1
    end(workshop, run)
    workshop.store.maintenance.purge(workshop.engine.parts.clock() + 1000)

    rest = list(events)

    assert len(rest) <= 1


def test_a_run_that_never_was_is_over_at_once(workshop):
    assert list(workshop.engine.follow("nothing")) == []


def test_who_stops_following_leaves_nothing_behind(workshop, run):
    events = workshop.engine.follow(run.id)
    next(events)
    events.close()

    assert not workshop.engine.parts.wakeups._followers
