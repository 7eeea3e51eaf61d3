"""A server in a PID namespace of its own: nothing that a script does reaches this machine."""

import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from integration.conftest import Server
from needs import need

UID = 54_321
"""Nobody on this machine has it."""


class Contained(Server):
    """The supervisor is the first process of its namespace, whose end is that of all others."""

    def __init__(self, folder, **settings):
        super().__init__(folder, **settings)
        outside = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        self.command = [*outside, sys.executable, "-m", "runbook.host.supervisor"]

    @property
    def process(self):
        (supervisor,) = psutil.Process(self._process.pid).children()
        return supervisor

    def is_ready(self):
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self, timeout=60):
        if self._process is None:
            return None
        if self._process.poll() is None:
            for child in psutil.Process(self._process.pid).children():
                child.terminate()
        try:
            return super().stop(timeout)
        finally:
            self._process.kill()


@contextmanager
def contained(**settings):
    need(os.geteuid() == 0, "root, to make namespaces")
    # Not in a folder of pytest, which other users can't enter.
    folder = Path(tempfile.mkdtemp(prefix="isolation-"))
    folder.chmod(0o755)
    server = Contained(folder, **settings)
    server.execution.chmod(0o755)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def is_reachable(path):
    """Whether other users can use a program."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def await_true(condition):
    """The server acts at its own pace, and tells of it only in what can be seen from outside."""
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


MODES = {
    "process": {"ISOLATION": "process"},
    "process with RUN_AS_USER": {"ISOLATION": "process", "RUN_AS_USER": UID},
    "bwrap": {"ISOLATION": "bwrap"},
    "bwrap with RUN_AS_USER": {"ISOLATION": "bwrap", "RUN_AS_USER": UID},
}


@pytest.fixture(scope="module", params=list(MODES))
def mode(request):
    if request.param.startswith("bwrap"):
        need(shutil.which("bwrap"), "bubblewrap")
    return request.param


@pytest.fixture(scope="module")
def settings():
    return {}


@pytest.fixture(scope="module")
def server(mode, settings):
    """One server in each mode."""
    with contained(**MODES[mode], ISOLATION_WRITABLE="", **settings) as server:
        yield server
