import dataclasses
import os
import subprocess
import sys
import threading
import time

import pytest

from runbook.core.access import Principal
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin, RunResult
from runbook.core.status import RunStatus
from runbook.engine.process.family import RUN_MARK
from runbook.engine.process.workspace import Workspace, directory_of
from runbook.engine.record import reaper, side_by_side
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.record.reaper import SURVIVORS_LEFT, WORKER_DIED
from runbook.host import proctable
from runbook.host.identity import boot_id, host_name, process_start
from runbook.library.history import verify_file
from runbook.library.locking import locked
from runbook.store.models import NewEvent
from runbook.store.workers import FRESH_BEAT_MS


@pytest.fixture
def process():
    """A process that waits to be killed."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.stdin.close()
    process.kill()
    process.wait()


@pytest.fixture
def begin(workshop):
    """A run that a worker with this identity executes."""
    workshop.write("Quick")

    def call(worker_id="w", **identity):
        workshop.register(worker_id, **identity)
        workshop.submit("Quick.md")
        return workshop.claim(worker_id).run

    return call


def of(process):
    return {"pid": process.pid, "process_start": process_start(process.pid)}


def kill(process):
    process.kill()
    process.wait()


def test_a_dead_workers_run_is_lost_once(workshop, begin, process):
    run = begin(**of(process))
    kill(process)

    assert workshop.engine.reap() == 1

    lost = workshop.store.runs.get(run.id)
    assert (lost.status, lost.result.return_code) == (RunStatus.LOST, -1)
    assert [problem.code for problem in lost.result.errors] == [WORKER_DIED]
    assert workshop.events(run)[-1].data["status"] == "lost"
    assert workshop.history("Quick").count(f"run={run.id} ") == 1
    assert workshop.store.workers.all() == []
    assert workshop.engine.reap() == 0
    assert len(workshop.events(run)) == lost.log.last_event


def test_several_who_reap_at_the_same_time_end_a_run_once(build, workshop, begin, process):
    runs = [begin(**of(process)) for _ in range(3)]
    others = [workshop, *(build() for _ in range(3))]
    kill(process)
    barrier = threading.Barrier(4)

    def reap(one):
        barrier.wait()
        one.engine.reap()

    threads = [threading.Thread(target=reap, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for run in runs:
        kinds = [event.type for event in workshop.events(run)]
        assert kinds.count(EventType.DONE) == 1
        assert workshop.history("Quick").count(f"run={run.id} ") == 1
    assert verify_file(workshop.settings.runbooks_dir / "Quick.md").ok


@pytest.mark.parametrize("stopped", [False, True])
def test_a_living_workers_run_is_never_taken(workshop, begin, process, stopped):
    """However long it was silent: it may be stopped, or starved of processor time."""
    run = begin(**of(process), beat_at=0)
    if stopped:
        os.kill(process.pid, 19)

    assert workshop.engine.reap() == 0
    assert workshop.store.runs.get(run.id).status is RunStatus.RUNNING
    assert [worker.id for worker in workshop.store.workers.all()] == ["w"]


def test_a_zombie_is_dead(workshop, begin, process):
    run = begin(**of(process))
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and not waited for

    assert workshop.engine.reap() == 1
    assert workshop.store.runs.get(run.id).status is RunStatus.LOST


def test_a_pid_that_was_given_away_again_is_not_the_worker(workshop, begin, process):
    run = begin(pid=process.pid, process_start=process_start(process.pid) - 1)

    assert workshop.engine.reap() == 1
    assert workshop.store.runs.get(run.id).status is RunStatus.LOST


def test_before_a_reboot_no_worker_of_this_host_lives(workshop, begin, process):
    """The pid may be another process's now; the silence tells."""
    now = workshop.engine.parts.clock()
    run = begin(**of(process), boot_id="another", beat_at=now - FRESH_BEAT_MS - 1000)

    assert workshop.engine.reap() == 1
    assert workshop.store.runs.get(run.id).status is RunStatus.LOST


@pytest.fixture
def watched(monkeypatch):
    """What happens while silent workers are watched, instead of the time that this takes."""
    meanwhile = []
    monkeypatch.setattr(reaper, "sleep", lambda _: [step() for step in meanwhile])
    return meanwhile


@pytest.mark.parametrize(
    ("silence", "taken"),
    [(0, 0), (FRESH_BEAT_MS - 5000, 0), (FRESH_BEAT_MS + 1000, 1), (-10_000, 1)],
)
def test_a_worker_elsewhere_is_judged_by_its_silence(workshop, begin, watched, silence, taken):
    assert host_name() != "elsewhere"
    now = workshop.engine.parts.clock()
    run = begin(host="elsewhere", pid=1, process_start=1, beat_at=now - silence)

    assert workshop.engine.reap() == 0
    assert workshop.engine.reap(everywhere=True) == taken
    expected = RunStatus.LOST if taken else RunStatus.RUNNING
    assert workshop.store.runs.get(run.id).status is expected


@pytest.mark.parametrize("wrong_ms", [-3_600_000, 3_600_000])
def test_a_worker_elsewhere_lives_as_long_as_it_beats_whatever_the_clocks_say(
    workshop, begin, watched, wrong_ms
):
    now = workshop.engine.parts.clock()
    run = begin(host="elsewhere", beat_at=now + wrong_ms)
    watched.append(lambda: workshop.store.workers.beat("w"))

    assert workshop.engine.reap(everywhere=True) == 0
    assert workshop.store.runs.get(run.id).status is RunStatus.RUNNING


def test_a_run_whose_worker_is_not_known_at_all_is_lost(workshop, begin):
    run = begin()
    workshop.store.workers.remove("w")

    assert workshop.engine.reap() == 1
    assert workshop.store.runs.get(run.id).status is RunStatus.LOST


def test_what_the_script_had_printed_is_in_the_entry(workshop, begin, process):
    run = begin(**of(process))
    printed = NewEvent(1, EventType.STDOUT, text="half of it\n", line=1, offset=0)
    workshop.store.events.append(run.id, [printed], worker_id="w")
    kill(process)

    workshop.engine.reap()

    assert "half of it\n" in workshop.history("Quick")


def test_an_entry_in_the_history_says_how_the_run_ended(workshop, begin, process):
    """The worker died after the entry was on disk and before the row was."""
    run = begin(**of(process))
    parts = workshop.engine.parts
    ended = Outcome(RunStatus.SUCCEEDED, 0)
    entry = dataclasses.replace(
        run,
        status=ended.status,
        times=dataclasses.replace(run.times, finished_at=parts.clock()),
        result=RunResult(return_code=0),
    )
    parts.records.write_history(entry, RecordedOutput("all of it\n"))
    kill(process)

    assert workshop.engine.reap() == 1

    found = workshop.store.runs.get(run.id)
    assert (found.status, found.result.return_code) == (RunStatus.SUCCEEDED, 0)
    assert workshop.history("Quick").count("### ") == 1
    assert "Exit Code: 0" in workshop.history("Quick")


class Killed(BaseException):
    pass


def test_outputs_survive_a_worker_that_dies_after_the_entry(workshop, step, monkeypatch):
    def die(*_, **__):
        raise Killed

    workshop.write_steps(
        "Job",
        step("One", "echo a=1 >> $RUNBOOK_OUTPUT"),
        step("Two", "echo b=2 >> $RUNBOOK_OUTPUT"),
    )
    workshop.submit("Job.md")
    with monkeypatch.context() as patch:
        patch.setattr("runbook.store.run.runs.Runs.finish", die)
        with pytest.raises(Killed):
            workshop.execute()
    workshop.store.workers.remove("w")
    assert workshop.engine.reap() == 1

    (found,) = workshop.store.runs.page().runs
    assert (found.status, found.result.outputs) == (RunStatus.SUCCEEDED, {"a": "1", "b": "2"})


def test_the_children_of_a_dead_worker_are_lost_too(workshop, begin, process):
    parent = begin(**of(process))
    workshop.write("Child")
    script = Principal(
        "ann", Origin.RUNBOOK, {"roles": ["sre"]}, run_id=parent.id, grants=ALL_GRANTS
    )
    running = workshop.submit("Child.md", script)
    workshop.claim("w")
    workshop.write("Waiting")
    waiting = workshop.submit("Waiting.md", script)
    kill(process)

    assert workshop.engine.reap() == 3

    for run in (parent, running, waiting):
        assert workshop.store.runs.get(run.id).status is RunStatus.LOST


def test_a_runbook_that_stays_locked_holds_up_no_other_run(workshop, begin, process, monkeypatch):
    stuck = [begin(**of(process)) for _ in range(2)]
    workshop.write("Other")
    workshop.submit("Other.md")
    other = workshop.claim("w").run
    kill(process)
    monkeypatch.setattr(side_by_side, "PATIENCE_SECONDS", 0)
    quick = workshop.settings.runbooks_dir / "Quick.md"

    with locked(quick, seconds=1, write=True):
        assert workshop.engine.reap() == 3
        assert [event.type for event in workshop.engine.follow(other.id)][-1] is EventType.DONE
        assert workshop.engine.reap() == 2  # found again, and not started twice
        assert {workshop.store.runs.get(run.id).status for run in stuck} == {RunStatus.RUNNING}

    for run in stuck:
        assert [event.type for event in workshop.engine.follow(run.id)][-1] is EventType.DONE
        assert workshop.history("Quick").count(f"run={run.id} ") == 1
    assert verify_file(quick).ok


def test_a_run_that_cannot_be_ended_holds_up_no_other_run(workshop, begin, process, monkeypatch):
    first, second = (begin(**of(process)) for _ in range(2))
    kill(process)
    ending = workshop.engine.parts.ending
    end = ending.end

    def fault(run, *arguments, **options):
        if run.id == first.id:
            raise ZeroDivisionError
        return end(run, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ending, "end", fault)
        assert workshop.engine.reap() == 2
    statuses = [workshop.store.runs.get(run.id).status for run in (first, second)]
    assert statuses == [RunStatus.LOST, RunStatus.LOST]  # the first one by quarantine
    assert workshop.store.runs.get(first.id).result.errors[0].code == "run_damaged"
    assert workshop.engine.reap() == 0


def test_a_run_that_waits_for_any_worker_is_left_alone(workshop, begin, process):
    begin(**of(process))
    waiting = workshop.submit("Quick.md")
    kill(process)

    assert workshop.engine.reap() == 1
    assert workshop.store.runs.get(waiting.id).status is RunStatus.QUEUED


def test_a_worker_that_was_taken_for_dead_changes_nothing_any_more(workshop, begin, watched):
    run = begin("late", host="elsewhere", beat_at=0)
    workshop.engine.reap(everywhere=True)

    parts = workshop.engine.parts
    outcome = Outcome(RunStatus.SUCCEEDED, 0)
    assert parts.ending.end(run, outcome, RecordedOutput(), worker_id="late") is None
    assert workshop.store.runs.get(run.id).status is RunStatus.LOST
    assert workshop.store.workers.beat("late") is False


def test_the_boot_of_this_machine_is_known():
    assert boot_id() == boot_id() != ""
    assert process_start(os.getpid()) == process_start(os.getpid())
    assert process_start(2**22 + 1) is None


@pytest.fixture
def script():
    """Starts a process like a script of a run, which outlived its engine."""
    started = []

    def call(run):
        environment = {"PATH": "/usr/bin:/bin", RUN_MARK: run.id}
        process = subprocess.Popen(["sleep", "999"], env=environment, start_new_session=True)
        while proctable.variable_of(process.pid, RUN_MARK) is None:
            time.sleep(0.001)  # the program is still being loaded
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def begin_locked(workshop, process, step):
    """A run with a lock, executed by `process`."""
    workshop.write_steps("Locked", step("One"), policy="locks: only-one")

    def call():
        workshop.register("w", **of(process))
        workshop.submit("Locked.md")
        return workshop.claim("w").run

    return call


def test_a_script_that_outlived_its_engine_ends_before_its_lock_is_free(
    workshop, begin_locked, process, script
):
    run = begin_locked()
    left = script(run)
    kill(process)

    assert workshop.engine.reap() == 1

    assert left.wait() == -9
    assert workshop.store.runs.get(run.id).status is RunStatus.LOST


def test_a_run_whose_script_cannot_be_ended_keeps_its_lock_and_says_why(
    workshop, begin_locked, process, script, monkeypatch
):
    run = begin_locked()
    left = script(run)
    kill(process)

    def forbidden(entry, descriptor):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(proctable, "_send_kill", forbidden)
    assert workshop.engine.reap() == 0
    assert workshop.engine.reap() == 0

    assert workshop.store.runs.get(run.id).status is RunStatus.RUNNING
    notices = workshop.data(run, EventType.NOTICE)
    assert [notice["code"] for notice in notices] == [SURVIVORS_LEFT]
    assert notices[0]["params"] == {"pids": [left.pid]}
    workshop.register("other")
    workshop.submit("Locked.md")
    assert workshop.claim("other") is None  # it waits for the lock

    monkeypatch.undo()
    assert workshop.engine.reap() == 1
    assert left.wait() == -9


def test_the_directory_of_a_lost_run_goes_with_it(workshop, begin, process):
    """It may hold secrets. A directory in use stays: its owner is alive."""
    lost, used = begin("w", **of(process)), begin("gone")
    folder = workshop.settings.execution_dir
    left = directory_of(folder, lost.id)
    left.mkdir()
    (left / "note").write_text("secret")
    kill(process)
    workshop.store.workers.remove("gone")

    with Workspace.create(folder, used.id) as living:
        assert workshop.engine.reap() == 2
        assert living.path.exists()
    assert not left.exists()
