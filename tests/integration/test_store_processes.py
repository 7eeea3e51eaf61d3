"""Several processes at one database, and processes that die at it."""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from patience import PATIENCE_S
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.run import Origin, Requester, RunbookVersion, RunRequest, RunTree
from runbook.core.status import RunStatus
from runbook.store.models import IdempotencyKey, NewEvent, NewRun, StoredDocument
from runbook.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

DOCUMENT = StoredDocument("d" * 64, b"# A\n")
PROCESSES = 8


@pytest.fixture
def unopened(new_url):
    """A store that was made before the fork and has not connected."""
    return Store(new_url, patience_s=PATIENCE_S)


@pytest.fixture
def store(unopened):
    unopened.maintenance.migrate()
    yield unopened
    unopened.close()


def submit(store, run_id, key=None, **values):
    run = NewRun(
        id=run_id,
        runbook=RunbookVersion("a.md", "A", DOCUMENT.digest),
        requester=Requester("ada", Origin.API),
        correlation_id="c",
        tree=RunTree(("a.md",)),
        request=RunRequest(),
        **({"status": RunStatus.QUEUED} | values),
    )
    return store.runs.create(run, [event(EventType.QUEUED)], DOCUMENT, idempotency=key).run


def event(kind=EventType.NOTICE):
    return NewEvent(1, kind, data={})


def in_processes(work, count=PROCESSES):
    """The results of `work(number)`, each in a process forked from this one, all at once."""
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(count), context.SimpleQueue()

    def run(number):
        barrier.wait(PATIENCE_S)
        results.put(work(number))

    children = [context.Process(target=run, args=[number]) for number in range(count)]
    for child in children:
        child.start()
    found = [results.get() for _ in children]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * count
    return found


def assert_sound(store):
    """The file is whole, and no event number is missing."""
    if store._database.dialect.is_embedded:
        with closing(sqlite3.connect(store._database.dialect.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for run in store.runs.page(limit=200).runs:
        numbers, last = [], 0
        while page := store.events.after(run.id, n=last):
            numbers += [item.n for item in page]
            last = numbers[-1]
        assert numbers == list(range(1, run.log.last_event + 1))


def test_processes_that_start_together_migrate_once(unopened):
    def start(_number):
        unopened.maintenance.migrate()
        unopened.check()
        return True

    assert in_processes(start) == [True] * PROCESSES
    submit(unopened, "r")
    assert_sound(unopened)
    unopened.close()


def test_each_run_is_claimed_once_and_no_write_is_lost(store):
    runs, appends = 48, 5
    for number in range(runs):
        submit(store, f"run-{number}")

    def execute(number):
        mine, worker = [], f"w{number}"
        while claimed := store.runs.claim(worker, root_slots=1):
            mine.append(claimed.run.id)
            for _ in range(appends):
                store.events.append(claimed.run.id, [event()], worker_id=worker)
            outcome, done = Outcome(RunStatus.SUCCEEDED, 0), [event(EventType.DONE)]
            store.runs.finish(claimed.run.id, outcome, done, worker_id=worker, durable=False)
        return mine

    claimed = Counter(run for mine in in_processes(execute) for run in mine)
    assert claimed == Counter(f"run-{number}" for number in range(runs))
    ended = store.runs.page(limit=200).runs
    assert {run.status for run in ended} == {RunStatus.SUCCEEDED}
    assert {run.log.last_event for run in ended} == {1 + 1 + appends + 1}
    assert_sound(store)


def test_one_key_in_many_processes_makes_one_run(store):
    def ask(number):
        return submit(store, f"run-{number}", IdempotencyKey("ada", "k", "request")).id

    assert len(set(in_processes(ask))) == 1
    assert len(store.runs.page().runs) == 1


def test_a_store_in_use_can_be_forked(store):
    submit(store, "before")
    with store._database._here().write_lock:

        def work(number):
            return submit(store, f"run-{number}").id

        assert len(set(in_processes(work, 2))) == 2
    submit(store, "after")
    assert_sound(store)


def forked(work):
    """The id of a process that does `work` and never returns."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    return child


def kill(child):
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def test_a_writer_killed_inside_its_transaction_leaves_nothing_and_no_lock(store):
    submit(store, "r", status=RunStatus.RUNNING, assigned_to="w")
    before = store.runs.get("r")
    reading, writing = os.pipe()

    def stop_inside(connection):
        connection.exec_driver_sql("UPDATE runs SET last_event = 99")
        os.write(writing, b"x")
        signal.pause()

    child = forked(lambda: store._database.write(stop_inside))
    assert os.read(reading, 1) == b"x"
    kill(child)
    assert store.runs.get("r") == before
    assert store.events.append("r", [event()], worker_id="w") == 2
    assert_sound(store)


def test_writers_killed_at_any_moment_leave_a_sound_database(store):
    submit(store, "r", status=RunStatus.RUNNING, assigned_to="w")

    def write():
        while True:
            store.events.append("r", [event()] * 20, worker_id="w")

    for turn in range(10):
        before = store.runs.get("r").log.last_event
        child = forked(write)
        while store.runs.get("r").log.last_event == before:
            time.sleep(0.0005 * turn)
        kill(child)
        store.events.append("r", [event()], worker_id="w")
    assert_sound(store)
    outcome = Outcome(RunStatus.LOST, -1)
    assert store.runs.finish("r", outcome, [event(EventType.DONE)]).run.status is RunStatus.LOST


def test_a_lost_runs_revived_owner_writes_nothing(store):
    submit(store, "r")
    claimed, go_on = os.pipe(), os.pipe()

    def own():
        store.runs.claim("w", root_slots=1)
        os.write(claimed[1], b"x")
        os.read(go_on[0], 1)
        store.events.append("r", [event()], worker_id="w")
        os._exit(0)

    child = forked(own)
    assert os.read(claimed[0], 1) == b"x"
    lost = store.runs.finish("r", Outcome(RunStatus.LOST, -1), [event(EventType.DONE)]).run
    os.write(go_on[1], b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert store.runs.get("r") == lost
    assert [item.type for item in store.events.after("r")][-1] is EventType.DONE
