"""Runs that exclude each other, in processes that have only the store in common."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from patience import PATIENCE_S
from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.events import EventType
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import LockRequest, LockWant, Origin
from runbook.core.status import RunStatus
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wakeups import Role
from runbook.settings import Settings
from runbook.worker.one_shot import GUARDIAN_ENDED

ON_BOTH_DATABASES = True
# Gives runs their locks at the start of the process that submits them, in place of a Policy.
GIVE_LOCKS = """
import dataclasses, sys
if "execute" in sys.orig_argv:
    from runbook.core.run import LockRequest, LockWant
    from runbook.store.run.runs import Runs
    create = Runs.create
    def create_with_locks(self, run, *args, **more):
        request = LockRequest((LockWant("device:r1"),), waits="Fails" not in run.ref)
        asked = dataclasses.replace(run.request, locks=request)
        return create(self, dataclasses.replace(run, request=asked), *args, **more)
    Runs.create = create_with_locks
"""
RUNBOOK = """\
# {name}

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
```

# Script
```sh
{script}
```

# History
"""
HOLD = "echo begun; while [ ! -e {gate} ]; do sleep 0.02; done; echo over"
ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)


class Site:
    """A folder of runbooks and a DATA_DIR, and processes that use them."""

    def __init__(self, folder, runbooks, data, execution, database):
        self.folder, self.runbooks, self.data = folder, runbooks, data
        self.gate = folder / "gate"
        for path in (runbooks, execution, folder / "site"):
            path.mkdir(exist_ok=True)
        (folder / "site" / "sitecustomize.py").write_text(GIVE_LOCKS)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": str(folder / "site"),
            "RUNBOOKS_DIR": str(runbooks),
            "DATA_DIR": str(data),
            "EXECUTION_DIR": str(execution),
            **database,
        }
        settings = Settings.load(self.environment)
        self.engine = build_engine(settings, Role.FOLLOWER)
        self.engine.store.maintenance.migrate()
        self.add("Holds", HOLD.format(gate=self.gate))
        self.add("Quick", "echo quick")
        self.add("Fails", "echo quick")

    @property
    def store(self):
        return self.engine.store

    def close(self):
        self.engine.parts.wakeups.close()
        self.store.close()

    def add(self, name, script):
        (self.runbooks / f"{name}.md").write_text(RUNBOOK.format(name=name, script=script))

    def execute(self, ref):
        """`runbook execute` of a runbook that wants the lock."""
        return subprocess.Popen(
            [sys.executable, "-m", "runbook", "execute", "--json", "--runbook", ref],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def submit(self, ref, *names):
        """Submit a run for the server's worker, with these locks."""
        create = self.store.runs.create

        def with_locks(run, *args, **more):
            locks = LockRequest(tuple(LockWant(name) for name in names)) if names else None
            asked = dataclasses.replace(run.request, locks=locks)
            return create(dataclasses.replace(run, request=asked), *args, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.store.runs, "create", with_locks)
            return self.engine.submit(ref, ANN, ExecuteRequest()).run

    def until(self, run_id, kind):
        """The first event of a kind that a run has, once it has it."""
        deadline = time.monotonic() + PATIENCE_S
        for event in self.engine.follow(run_id, heartbeat_s=1):
            if event is not None and event.type is kind:
                return event
            assert time.monotonic() < deadline, self.store.runs.get(run_id)
        raise AssertionError(self.store.runs.get(run_id))

    def ended(self, run_id):
        self.until(run_id, EventType.DONE)
        return self.store.runs.get(run_id).status

    def open_gate(self):
        self.gate.touch()


@pytest.fixture
def site(tmp_path, lend_database):
    folders = [tmp_path / name for name in ("runbooks", "data", "execution")]
    with lend_database() as database:
        site = Site(tmp_path, *folders, database)
        yield site
        site.close()


def first_event(process, kind):
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] == kind:
            return event
    raise AssertionError(f"no {kind}: {process.stderr.read()}")


def rest(process):
    stdout, stderr = process.communicate(timeout=2 * PATIENCE_S)
    assert "Traceback" not in stderr
    return [json.loads(line) for line in stdout.splitlines()]


@pytest.fixture
def holder(site):
    """A process whose run has the lock and whose script goes on until the gate opens."""
    with site.execute("Holds.md") as process:
        first_event(process, "stdout")
        process.run_id = site.store.runs.page().runs[0].id
        yield process
        site.open_gate()
        process.communicate(timeout=2 * PATIENCE_S)


@pytest.fixture
def waiter(site, holder):
    """A process whose run waits for that lock, and the event that says so."""
    with site.execute("Quick.md") as process:
        process.waiting = first_event(process, "waiting")
        process.run_id = site.store.runs.page().runs[0].id
        yield process
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def test_the_second_engine_waits_and_names_the_first(site, holder, waiter):
    said = waiter.waiting
    assert (said["lock"], said["held_by"]) == ("device:r1", holder.run_id)
    assert said["runbook"] == "Holds.md"
    assert f"held by run {holder.run_id} of Holds.md" in said["reason"]
    assert site.store.runs.get(waiter.run_id).status is RunStatus.WAITING

    site.open_gate()

    events = rest(waiter)
    assert [event["type"] for event in events] == ["started", "stdout", "done"]
    assert waiter.returncode == 0
    assert (
        site.store.runs.get(waiter.run_id).times.started_at
        >= site.store.runs.get(holder.run_id).times.finished_at
    )


@pytest.mark.one_database
def test_the_terminal_shows_why_it_waits(site, holder):
    command = [sys.executable, "-m", "runbook", "execute", "--runbook", "Quick.md"]
    with subprocess.Popen(
        command, env=site.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        shown = process.stderr.readline()
        site.open_gate()
        stdout, _ = process.communicate(timeout=2 * PATIENCE_S)
    assert f"waits for lock device:r1, held by run {holder.run_id} of Holds.md" in shown
    assert (process.returncode, stdout) == (0, "quick\n")


def test_kill_9_of_the_holders_whole_tree_frees_the_lock(site, holder, waiter, kill_tree):
    kill_tree(holder)

    assert rest(waiter)[-1]["status"] == "succeeded"

    assert site.store.runs.get(holder.run_id).status is RunStatus.LOST


@pytest.mark.one_database
def test_a_run_that_does_not_wait_fails_and_says_who_holds_the_lock(site, holder):
    with site.execute("Fails.md") as process:
        events = rest(process)
    assert [event["type"] for event in events] == ["queued", "started", "stderr", "done"]
    expected = f"Lock device:r1 is held by run {holder.run_id} of Holds.md, started by local:"
    assert events[-1]["errors"][0].startswith(expected)
    assert (events[-1]["status"], process.returncode) == ("failed", 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.one_database
def test_a_signal_ends_the_waiting(site, holder, waiter, number):
    waiter.send_signal(number)

    events = rest(waiter)

    assert waiter.returncode == 130
    assert events[-1]["status"] == "cancelled"
    assert "stdout" not in [event["type"] for event in events]
    assert site.store.runs.get(waiter.run_id).cancel.by.startswith("local:")
    assert site.store.runs.get(holder.run_id).status is RunStatus.RUNNING


@pytest.mark.one_database
def test_without_its_guardian_a_run_does_not_go_on_waiting(site, holder, waiter):
    (engine,) = psutil.Process(waiter.pid).children()
    waiter.kill()
    psutil.wait_procs([engine], timeout=2 * PATIENCE_S)

    run = site.store.runs.get(waiter.run_id)
    assert (run.status, run.cancel.by) == (RunStatus.CANCELLED, GUARDIAN_ENDED)


def test_a_waiter_that_was_killed_is_lost_and_holds_nobody_up(site, holder, waiter, kill_tree):
    kill_tree(waiter)
    with site.execute("Quick.md") as process:
        first_event(process, "waiting")
        assert site.ended(waiter.run_id) is RunStatus.LOST
        site.open_gate()
        assert rest(process)[-1]["status"] == "succeeded"


class TestWithAServer:
    @pytest.fixture
    def server(self, start_server):
        return start_server(MAX_PARALLEL_RUNS=1)

    @pytest.fixture
    def site(self, server):
        site = Site(server.folder, server.runbooks, server.data, server.execution, server.database)
        yield site
        site.close()

    def test_a_waiting_run_keeps_no_slot_and_goes_on(self, site, holder):
        waiting = site.submit("Quick.md", "device:r1")
        assert site.until(waiting.id, EventType.WAITING).data["held_by"] == holder.run_id
        assert site.ended(site.submit("Quick.md").id) is RunStatus.SUCCEEDED
        assert site.store.runs.get(waiting.id).status is RunStatus.WAITING

        site.open_gate()

        assert site.ended(waiting.id) is RunStatus.SUCCEEDED
        free = site.store.runs.get(holder.run_id).times.finished_at
        assert site.store.runs.get(waiting.id).times.started_at >= free

    def test_kill_9_of_the_worker_frees_its_locks_at_once(self, server, site):
        holds = site.submit("Holds.md", "device:r1")
        site.until(holds.id, EventType.STDOUT)
        with site.execute("Quick.md") as waiter:
            assert first_event(waiter, "waiting")["held_by"] == holds.id
            server.worker.kill()
            assert rest(waiter)[-1]["status"] == "succeeded"
        assert site.store.runs.get(holds.id).status is RunStatus.LOST

    @pytest.mark.one_database
    def test_a_cancelled_waiter_is_ended_though_no_slot_is_free(self, site, holder):
        waiting = site.submit("Quick.md", "device:r1")
        site.until(waiting.id, EventType.WAITING)
        busy = site.submit("Holds.md")
        site.until(busy.id, EventType.STDOUT)

        site.engine.cancel(site.store.runs.get(waiting.id), ANN)

        assert site.ended(waiting.id) is RunStatus.CANCELLED
        assert site.store.runs.get(busy.id).status is RunStatus.RUNNING

    @pytest.mark.one_database
    def test_waiting_runs_outlast_a_drain(self, server, site, holder):
        waiting = site.submit("Quick.md", "device:r1")
        site.until(waiting.id, EventType.WAITING)
        assert server.stop() == 0
        assert site.store.runs.get(waiting.id).status is RunStatus.WAITING
        site.open_gate()
        assert site.ended(holder.run_id) is RunStatus.SUCCEEDED
        assert site.store.runs.get(waiting.id).status is RunStatus.QUEUED

        server.start()

        assert site.ended(waiting.id) is RunStatus.SUCCEEDED
