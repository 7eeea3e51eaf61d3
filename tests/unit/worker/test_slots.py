"""The loop that all workers share; tests/integration shows it with processes and signals."""

import errno
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from patience import PATIENCE_S
from runbook.core.run import Purpose
from runbook.core.status import RunStatus
from runbook.engine.execute import execution
from runbook.errors import RunbookError, StoreDamagedError
from runbook.worker import periodic, slots
from runbook.worker.one_shot import OneShotWorker

from .conftest import ANN


def status(engine, run):
    return engine.store.runs.get(run.id).status


def test_a_worker_of_some_queues_leaves_the_runs_of_others(engine, local, submit, ended):
    plain, far = submit("Plain"), submit("Far", policy="queue: far")
    near = submit("Near", policy="queue: near")
    local(queues=frozenset({"near", "nearer"}))
    assert ended(near) is RunStatus.SUCCEEDED
    assert status(engine, plain) is status(engine, far) is RunStatus.QUEUED
    local(queues=frozenset({"default"}))
    assert ended(plain) is RunStatus.SUCCEEDED
    assert status(engine, far) is RunStatus.QUEUED


def test_a_run_whose_end_was_asked_for_waits_in_no_queue(engine, local, submit, ended):
    local(queues=frozenset({"near"}))
    far = submit("Far", policy="queue: far")
    engine.cancel(far, ANN)
    assert ended(far) is RunStatus.CANCELLED


def test_a_worker_without_queues_takes_all(local, submit, ended):
    local()
    assert ended(submit("Plain")) is RunStatus.SUCCEEDED
    assert ended(submit("Far", policy="queue: far")) is RunStatus.SUCCEEDED


def test_runs_and_forms_do_not_wait_for_each_other(engine, local, submit, ended):
    """With one slot, which a run has, choices are found; with theirs taken, a run is executed."""
    local(slots=1)
    long = submit("Long", "print begun; sleep 1000")
    for event in engine.follow(long.id):
        if event is not None and event.text == "begun\n":
            break
    for_form = submit("Choices", purpose=Purpose.CHOICES)
    assert ended(for_form) is RunStatus.SUCCEEDED
    slow = [
        submit(f"Slow{n}", "print begun; sleep 1000", purpose=Purpose.CHOICES)
        for n in range(slots.FORM_SLOTS)
    ]
    for run in slow:
        for event in engine.follow(run.id):
            if event is not None and event.text == "begun\n":
                break
    waiting, next_run = submit("More", purpose=Purpose.CHOICES), submit("Next")
    engine.cancel(long, ANN)
    assert ended(next_run) is RunStatus.SUCCEEDED
    assert status(engine, waiting) is RunStatus.QUEUED
    for run in slow:
        engine.cancel(run, ANN)
    assert ended(waiting) is RunStatus.SUCCEEDED


def test_a_worker_without_a_free_slot_looks_only_for_runs_that_need_none(
    local, submit, ended, engine, monkeypatch
):
    monkeypatch.setattr(slots, "BEAT_SECONDS", 1000)
    looks = []
    worker = local(slots=1)
    claim = worker.workers.claim

    def counted(*given, **more):
        looks.append(more["root_slots"])
        return claim(*given, **more)

    long = submit("Long", "print begun; sleep 1000")
    for event in engine.follow(long.id):
        if event is not None and event.text == "begun\n":
            monkeypatch.setattr(worker.workers, "claim", counted)
            break
    waiting = [submit(f"Waiting{n}") for n in range(3)]
    assert ended(submit("Choices", purpose=Purpose.CHOICES)) is RunStatus.SUCCEEDED
    # For the form's run, once more after it, and perhaps late for the long one.
    assert len(looks) <= 3
    engine.cancel(long, ANN)
    assert [ended(run) for run in waiting] == [RunStatus.SUCCEEDED] * 3


def test_a_worker_that_was_taken_for_dead_makes_itself_known_again(
    engine, local, submit, ended, monkeypatch
):
    monkeypatch.setattr(slots, "BEAT_SECONDS", 0.01)
    local()
    assert ended(submit("First")) is RunStatus.SUCCEEDED
    (before,) = engine.store.workers.all()
    engine.store.workers.remove(before.id)
    while not (known := engine.store.workers.all()):
        ended(submit("Meanwhile"))
    assert [worker.id for worker in known] == [before.id]


def test_a_one_shot_executes_its_own_run_only(engine, one_shot, submit):
    others = [submit("Other"), submit("Cancelled")]
    engine.cancel(others[1], ANN)
    own = submit("Own", policy="queue: far", assigned_to=one_shot.id)
    one_shot.start(own)
    one_shot.wait()
    assert status(engine, own) is RunStatus.SUCCEEDED
    assert {status(engine, other) for other in others} == {RunStatus.QUEUED}


def test_a_one_shot_gives_up_where_others_have_ended_its_run(engine, one_shot, submit):
    own = submit("Own", assigned_to=one_shot.id)
    engine.store.workers.remove(one_shot.id)
    engine.reap()
    one_shot.start(own)
    one_shot.wait()
    one_shot.check()
    assert status(engine, own) is RunStatus.LOST


def test_a_fault_of_the_loop_ends_the_script_at_once(engine, one_shot, submit, monkeypatch):
    def fault(*_args, **_more):
        raise ZeroDivisionError

    own = submit("Own", "print begun; sleep 1000", assigned_to=one_shot.id)
    one_shot.start(own)
    for event in engine.follow(own.id):
        if event is not None and event.text == "begun\n":
            monkeypatch.setattr(engine.store.workers, "beat", fault)
    one_shot.wait()
    with pytest.raises(RunbookError, match="ZeroDivisionError"):
        one_shot.check()
    assert status(engine, own) is RunStatus.INTERRUPTED


def test_scripts_are_ended_when_the_database_is_lost(engine, local, submit, tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(execution, "END_ATTEMPTS", 1)
    local()
    run = submit("Long", "print begun; sleep 1000")
    for event in engine.follow(run.id):
        if event is not None and event.text == "begun\n":
            break
    (tmp_path / "data" / "runbook.db").unlink()
    with pytest.raises(StoreDamagedError):
        list(engine.follow(run.id))
    with pytest.raises(StoreDamagedError):
        submit("Other")
    history = tmp_path / "runbooks" / "Long.md"
    until = time.monotonic() + PATIENCE_S
    while "interrupted" not in history.read_text() and time.monotonic() < until:
        threading.Event().wait(0.01)
    assert "interrupted" in history.read_text()


def test_a_run_that_cannot_be_executed_is_named_and_the_next_one_is(
    local, submit, ended, monkeypatch, caplog
):
    monkeypatch.setattr(periodic, "FORGOTTEN_SECONDS", 0)
    executing = local(slots=1)
    execute, failed = executing.execute, []

    def fail_once(claimed, *args):
        if not failed:
            failed.append(claimed.run.id)
            raise ZeroDivisionError
        execute(claimed, *args)

    monkeypatch.setattr(executing, "execute", fail_once)
    first, second = submit("First"), submit("Second")
    assert ended(second) is RunStatus.SUCCEEDED
    logged = [r.fields for r in caplog.records if r.getMessage() == "run.not_recorded"]
    assert logged == [{"run_id": first.id}]
    assert ended(first) is RunStatus.LOST  # a periodic task finds that it was forgotten


def test_a_one_shot_hears_that_its_run_cannot_be_executed(engine, one_shot, submit, monkeypatch):
    monkeypatch.setattr(engine, "execute", lambda *_: 1 / 0)
    own = submit("Own", assigned_to=one_shot.id)
    one_shot.start(own)
    one_shot.wait()
    with pytest.raises(RunbookError, match="ZeroDivisionError"):
        one_shot.check()
    one_shot.close()
    assert status(engine, own) is RunStatus.LOST


@pytest.mark.parametrize("_again", range(20))
def test_waking_a_loop_that_ends_meanwhile(engine, _again):
    worker = OneShotWorker(engine, ANN)
    worker.register()
    closing = threading.Thread(target=worker.close)
    closing.start()
    for _ in range(100):
        worker.abandon()
    closing.join()


def open_for_wake_ups():
    """The descriptors of this process that wake its loops; the store keeps files open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            links.append(str(descriptor.readlink()))
    return sum(link.startswith(("anon_inode:", "socket:", "pipe:")) for link in links)


def test_a_worker_keeps_no_descriptors(engine, submit):
    def work():
        worker = OneShotWorker(engine, ANN)
        worker.register()
        worker.start(submit("Own", assigned_to=worker.id))
        worker.close()
        worker.interrupt()  # a signal may come late
        return open_for_wake_ups()

    assert work() == work()


def test_a_run_stays_queued_while_there_is_no_free_descriptor(
    engine, local, submit, ended, monkeypatch
):
    """Claimed without one, it would be lost."""
    refused = threading.Event()

    def full(*_args):
        refused.set()
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(slots, "BEAT_SECONDS", 0.01)
    with monkeypatch.context() as full_table:
        full_table.setattr(slots, "Stop", full)
        run = submit("Plain")
        local()
        assert refused.wait(PATIENCE_S)
        assert status(engine, run) is RunStatus.QUEUED
    assert ended(run) is RunStatus.SUCCEEDED


def test_a_script_that_cannot_be_watched_fails_with_the_systems_reason(
    engine, local, submit, ended, monkeypatch
):
    def full(*_args):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", full)
    local()
    run = submit("Plain")
    assert ended(run) is RunStatus.FAILED
    (problem,) = engine.store.runs.get(run.id).result.errors
    assert problem.code == "process_start_failed"
    assert "Too many open files" in problem.message
