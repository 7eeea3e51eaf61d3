"""What the storm looks for after itself, and how it cleans up."""

import subprocess
from types import SimpleNamespace

import psutil

from torture import remains


class Nameless:
    """As a thread of the kernel, or a process that is just being replaced."""

    pid = 2

    def environ(self):
        return {}

    def cmdline(self):
        return []

    def cwd(self):
        return "/"


def test_processes_without_a_command_are_nobodys(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "process_iter", lambda: [Nameless()])
    assert list(remains.processes(tmp_path, marked=True)) == []


def test_what_belongs_to_a_folder_is_found_and_ended(tmp_path):
    with subprocess.Popen(["sleep", "999"], cwd=tmp_path) as process:
        assert [one.pid for one in remains.processes(tmp_path, marked=False)] == [process.pid]
        assert list(remains.processes(tmp_path, marked=True)) == []
        remains.end_processes(tmp_path)
        assert not psutil.pid_exists(process.pid)


def test_a_search_goes_on_as_long_as_something_changes(monkeypatch):
    moments = iter(range(0, 10_000, 10))
    monkeypatch.setattr(remains, "PATIENCE_S", 10)
    monkeypatch.setattr(remains, "LONGEST_S", 10_000)
    clock = SimpleNamespace(monotonic=lambda: next(moments), sleep=lambda _: None)
    monkeypatch.setattr(remains, "time", clock)
    left = [[str(n)] for n in range(50, 0, -1)]
    assert remains.eventually(lambda: left.pop() if left else []) == ()
    assert remains.eventually(lambda: ["stuck"]) == ("stuck",)
