"""Temporary folders of processes that may be killed."""

import os
import subprocess
import sys
import tempfile

import pytest

from runbook.host import scratch

HOLD = """
import sys
from runbook.host import scratch
with scratch.temporary_folder(sys.argv[1]) as path:
    open(path + "/secret", "w").close()
    print(path, flush=True)
    input()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder for temporary files, of this process and those that it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield tmp_path
    tempfile.tempdir = None


@pytest.fixture
def hold(folder):
    """Starts a process that holds a folder; returns it and the folder's path."""
    started = []

    def call(kind=scratch.METRICS):
        command = [sys.executable, "-c", HOLD, kind]
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, **streams)
        started.append(process)
        return process, process.stdout.readline().strip()

    yield call
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", scratch.KINDS)
def test_the_folder_of_a_killed_process_is_removed_by_the_next(hold, folder, kind):
    process, path = hold(kind)
    process.kill()
    process.wait()
    assert os.path.exists(f"{path}/secret")

    with scratch.temporary_folder(scratch.METRICS) as own:
        assert os.listdir(folder) == [os.path.basename(own)]
    assert os.listdir(folder) == []


def test_the_folders_of_living_processes_and_of_others_stay(hold, folder, monkeypatch):
    _, path = hold()
    (folder / "runbook-metrics-without-a-lock").mkdir()
    process, foreign = hold()
    process.kill()
    process.wait()
    with monkeypatch.context() as other:
        other.setattr(os, "geteuid", lambda: 12345)
        scratch.remove_abandoned()
    assert os.path.exists(foreign)

    scratch.remove_abandoned()

    assert os.path.exists(f"{path}/secret")
    assert (folder / "runbook-metrics-without-a-lock").exists()
    assert not os.path.exists(foreign)


@pytest.mark.parametrize("call", ["flock", "rename"])
def test_a_folder_that_is_being_made_stays(folder, monkeypatch, call):
    module = scratch.fcntl if call == "flock" else scratch.os
    real = getattr(module, call)

    def clean_first(*arguments):
        command = "from runbook.host import scratch; scratch.remove_abandoned()"
        subprocess.run([sys.executable, "-c", command], check=True)
        return real(*arguments)

    monkeypatch.setattr(module, call, clean_first)
    with scratch.temporary_folder(scratch.METRICS) as path:
        assert os.path.exists(path)


def test_a_folder_that_its_owner_may_not_read_is_removed_too(folder):
    with scratch.temporary_folder(scratch.TESTS) as path:
        os.makedirs(f"{path}/below/deep")
        os.chmod(f"{path}/below", 0)
    assert os.listdir(folder) == []
