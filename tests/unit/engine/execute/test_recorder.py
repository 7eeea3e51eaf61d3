import sqlite3
import threading
import time

import pytest

from runbook.core.events import EventType
from runbook.core.output.pipeline import OutputPipeline
from runbook.engine.execute import recorder as module
from runbook.engine.execute.recorder import Recorder
from runbook.errors import ConflictError, StoreBusyError

OUT, ERR = EventType.STDOUT, EventType.STDERR


@pytest.fixture
def woken():
    return []


@pytest.fixture
def run(workshop):
    workshop.write("Quick")
    workshop.submit("Quick.md")
    return workshop.claim().run


@pytest.fixture
def recorder(workshop, run, woken):
    return make(workshop, run, woken)


def make(workshop, run, woken, secrets=(), worker_id="w"):
    return Recorder(
        workshop.store,
        run.id,
        worker_id,
        lambda masker: OutputPipeline(masker, 64 * 2**20),
        secrets=lambda: list(secrets),
        entry_bytes=1024,
        clock=workshop.engine.parts.clock,
        wake=woken.append,
    )


def write(recorder, data, stream=OUT):
    """Write, and store it although nothing is due yet."""
    recorder.write(stream, data)
    recorder.add(EventType.NOTICE, {"message": "now"})


def texts(workshop, run):
    return [(e.type, e.text) for e in workshop.events(run) if e.type.is_output]


def lock(workshop):
    """Another process that holds the database's write lock until the event is set."""
    begun, over = threading.Event(), threading.Event()
    path = workshop.settings.data_dir / "runbook.db"

    def hold():
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        begun.set()
        over.wait()
        connection.execute("ROLLBACK")
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    return over, thread


@pytest.fixture
def impatient(workshop, monkeypatch):
    """The store gives up at once, so that no test waits for its patience."""
    monkeypatch.setattr(workshop.store._database, "_patience_s", 0.02)


@pytest.fixture
def locked(workshop, run, impatient):
    over, thread = lock(workshop)
    yield over, thread
    over.set()
    thread.join()


def test_output_and_the_engines_events_keep_their_order(workshop, run, recorder, woken):
    recorder.write(OUT, b"one\n")
    recorder.write(ERR, b"two\n")
    recorder.add(EventType.STEP, {"name": "s"})
    recorder.write(OUT, b"three\n")
    events = recorder.finish()

    stored = workshop.events(run)
    assert [e.type for e in stored][2:] == [OUT, ERR, EventType.STEP]
    assert [e.n for e in stored] == list(range(1, len(stored) + 1))
    assert [(e.type, e.text) for e in events] == [(OUT, "three\n")]
    assert woken == [run.id]


def test_places_of_lines_go_on_over_both_streams(workshop, run, recorder):
    write(recorder, b"a\nb")
    write(recorder, b"c\n", ERR)
    write(recorder, b"d\n")

    places = [(e.text, e.line, e.offset) for e in workshop.events(run) if e.type.is_output]
    assert [offset for _, _, offset in places] == sorted(offset for _, _, offset in places)
    size = workshop.store.logs.size(run.id).bytes
    log = workshop.store.logs.range(run.id, 0, size).decode()
    assert all(log[offset:].startswith(text) for text, _, offset in places)


def test_output_is_due_soon_and_stored_when_it_is(workshop, run, recorder):
    recorder.write(OUT, b"soon\n")
    assert recorder.due_at() is not None

    while not texts(workshop, run):
        time.sleep(max(0.0, recorder.due_at() - time.monotonic()))
        recorder.flush()

    assert texts(workshop, run) == [(OUT, "soon\n")]


def test_followers_hear_of_a_start_that_prints_nothing(run, recorder, woken):
    time.sleep(max(0.0, recorder.due_at() - time.monotonic()))
    recorder.flush()

    assert woken == [run.id]
    assert recorder.due_at() is None


def test_events_are_held_while_the_store_is_busy_and_none_is_lost(
    workshop, run, recorder, woken, locked
):
    over, thread = locked
    for number in range(5):
        write(recorder, b"line %d\n" % number)
    assert woken == []

    over.set()
    thread.join()
    write(recorder, b"last\n")

    lines = "".join(text for _, text in texts(workshop, run))
    assert lines == "".join(f"line {n}\n" for n in range(5)) + "last\n"
    numbers = [event.n for event in workshop.events(run)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert woken == [run.id]


def test_what_is_held_at_the_end_is_handed_over(workshop, run, recorder, locked):
    write(recorder, b"held\n")

    events = recorder.finish()

    assert [(e.type, e.text) for e in events if e.type.is_output] == [(OUT, "held\n")]
    assert recorder.finish() == []


def test_beyond_8_mib_the_error_is_raised(run, recorder, locked):
    chunk = b"x" * 65_535 + b"\n"
    assert module.MAX_UNSAVED_BYTES == 8 * 2**20

    held = 0
    with pytest.raises(StoreBusyError):
        while held < 16 * 2**20:
            write(recorder, chunk)
            held += len(chunk)

    assert 8 * 2**20 - 2 * len(chunk) <= held <= 8 * 2**20 + 2 * len(chunk)


def test_a_run_that_was_taken_away_is_not_written_to(workshop, run, woken):
    recorder = make(workshop, run, woken, worker_id="another")

    with pytest.raises(ConflictError):
        write(recorder, b"too late\n")
    assert texts(workshop, run) == []


def test_secrets_never_reach_the_store_nor_the_entry(workshop, run, woken):
    """Also where they come in pieces, and where the last piece never comes."""
    recorder = make(workshop, run, woken, secrets=["s3cret-value"])
    for piece in (b"a s3cr", b"et-va", b"lue b\n", b"s3cret-val"):
        write(recorder, piece)
    events = recorder.finish()

    shown = "".join(text for _, text in texts(workshop, run))
    assert shown == "a *** b\n"
    assert "".join(e.text for e in events if e.type.is_output) in ("s3cret-val", "***")
    assert "s3cret-value" not in recorder.excerpt(OUT)


def test_the_entry_gets_the_head_and_the_tail(recorder):
    for number in range(2000):
        recorder.write(OUT, b"line %d\n" % number)
    recorder.finish()

    excerpt = recorder.excerpt(OUT)
    assert excerpt.startswith("line 0\n")
    assert excerpt.endswith("line 1999\n")
    assert len(excerpt) < 2048
    assert recorder.excerpt(ERR) == ""


def test_the_time_of_output_is_that_of_reading(workshop, run, recorder, monkeypatch):
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    monkeypatch.setattr(recorder, "_clock", lambda: 1_000_000 + round(now * 1000))
    recorder.write(OUT, b"unfinished")
    now += 0.15
    recorder.write(ERR, b"line\n")
    now += 0.05

    events = recorder.finish()

    assert [(e.type, e.at - 1_100_000) for e in events] == [(OUT, 0), (ERR, 150)]
