"""Processes of runs whose engine processes were all killed."""

import os
import subprocess
import uuid

import pytest

from runbook.engine.process.family import RUN_MARK
from runbook.engine.process.survivors import end_survivors
from runbook.host import proctable


@pytest.fixture
def start(tmp_path):
    """Starts what a script of a run could have left; waits until it has printed a line."""
    started = []

    def call(script, run_id=None, cwd="/", **more):
        environment = {"PATH": "/usr/bin:/bin"} | ({RUN_MARK: run_id} if run_id else {})
        process = subprocess.Popen(
            ["bash", "-c", script],
            env=environment,
            cwd=cwd,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **more,
        )
        started.append(process)
        process.pids = [int(word) for word in process.stdout.readline().split()]
        return process

    yield call
    for process in started:
        process.kill()
        for pid in process.pids:
            if alive(pid):
                os.kill(pid, 9)
        process.communicate()


def alive(pid):
    entry = proctable.read_process(pid)
    return entry is not None and not entry.ended


def test_a_script_and_everything_it_started_is_ended(start, tmp_path):
    run_id = str(uuid.uuid4())
    script = start(
        "sleep 9 & a=$!; setsid env -i sleep 9 & b=$!; env -i sleep 9 & echo $$ $a $b $!; wait",
        run_id,
    )
    other = start("echo $$; exec sleep 999", str(uuid.uuid4()))

    found = end_survivors(run_id, tmp_path / "none")

    assert set(script.pids) <= {entry.pid for entry in found.killed}
    assert found.left == ()
    assert not any(alive(pid) for pid in script.pids)
    assert alive(other.pid)
    assert end_survivors(run_id, tmp_path / "none").killed == ()


def test_a_process_without_the_mark_is_found_by_its_directory(start, tmp_path):
    directory = tmp_path / "run"
    (directory / "below").mkdir(parents=True)
    orphan = start("echo $$; exec sleep 999", cwd=directory / "below")
    elsewhere = start("echo $$; exec sleep 999", cwd=tmp_path)

    end_survivors(str(uuid.uuid4()), directory)

    assert not alive(orphan.pid)
    assert alive(elsewhere.pid)


def test_what_may_not_be_killed_is_told(start, tmp_path, monkeypatch):
    run_id = str(uuid.uuid4())
    script = start("echo $$; exec sleep 999", run_id)

    def forbidden(entry, descriptor):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(proctable, "_send_kill", forbidden)
    found = end_survivors(run_id, tmp_path)

    assert [entry.pid for entry in found.left] == script.pids
    assert found.killed == ()
    assert found.left[0].name == "sleep"
