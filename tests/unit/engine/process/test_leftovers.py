"""Directories of runs whose engine processes were killed."""

import subprocess
import sys
import threading
import uuid

from runbook.engine.process import leftovers
from runbook.engine.process.leftovers import remove_stale, run_directories
from runbook.engine.process.workspace import Workspace


def clean(folder, active=(), **more):
    return remove_stale(run_directories(folder).values(), active, **more)


def test_stale_directories_are_removed_and_used_ones_stay(tmp_path):
    dead, active, link, file, used = (str(uuid.uuid4()) for _ in range(5))
    for name in (f"runbook-{dead}", f"runbook-{active}", "runbook-of-someone-else", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / f"runbook-{link}").symlink_to(tmp_path / "other")
    (tmp_path / f"runbook-{file}").touch()
    with Workspace.create(tmp_path, used):
        assert clean(tmp_path, {active}) == []
        left = {path.name.removeprefix("runbook-") for path in tmp_path.iterdir()}
    assert dead not in left
    assert {used, active, link, "of-someone-else", "other"} <= left
    assert clean(tmp_path / "absent") == []


def test_a_crash_frees_the_directory(tmp_path):
    crash = (
        "import os, sys; from pathlib import Path;"
        "from runbook.engine.process.workspace import Workspace;"
        "Workspace.create(Path(sys.argv[1]), sys.argv[2]); os._exit(1)"
    )
    run_id = str(uuid.uuid4())
    subprocess.run([sys.executable, "-c", crash, str(tmp_path), run_id], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    assert clean(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_creation_and_clean_up_may_run_at_the_same_time(tmp_path):
    over = threading.Event()

    def clean_on():
        while not over.is_set():
            clean(tmp_path)

    thread = threading.Thread(target=clean_on)
    thread.start()
    try:
        for number in range(200):
            with Workspace.create(tmp_path, f"run-{number}") as workspace:
                assert workspace.handover.artifacts.exists()
    finally:
        over.set()
        thread.join()


def test_on_a_network_file_system_only_ended_runs_are_known_to_be_dead(tmp_path, monkeypatch):
    """A lock that another host holds there may be invisible here."""
    monkeypatch.setattr(leftovers, "_is_on_network", lambda path: True)
    unknown, ended = str(uuid.uuid4()), str(uuid.uuid4())
    for run_id in (unknown, ended):
        (tmp_path / f"runbook-{run_id}").mkdir()
    assert clean(tmp_path, ended={ended}) == []
    assert list(run_directories(tmp_path)) == [unknown]


def test_a_network_mount_is_recognized():
    nfs = "101 29 0:52 / /mnt/runs rw,relatime shared:53 - nfs4 host:/export rw,vers=4.2"
    disk = "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
    assert leftovers._is_network_mount(nfs, "0:52")
    assert not leftovers._is_network_mount(nfs, "8:1")
    assert not leftovers._is_network_mount(disk, "8:1")
