import os
import subprocess
import sys

import httpx
import librouteros
import pytest
from librouteros.exceptions import LibRouterosError

from runbook.errors import ServerUnavailableError
from runbook.lab import processes
from runbook.lab.processes import IPAM, Part, Processes


@pytest.fixture
def lab(tmp_path):
    found = Processes(tmp_path, {"PATH": os.environ["PATH"], "JWT_SECRET": "of the server"})
    yield found
    found.stop()


def test_the_processes_start_answer_and_end(lab):
    ipam, pve, routers = lab.start()

    assert lab.are_running()
    headers = {"Authorization": f"Token {ipam.given['token']}"}
    answer = httpx.get(f"{ipam.said['url']}/api/ipam/prefixes/", headers=headers)
    assert answer.json()["count"] > 0
    assert pve.said["ca"].startswith("-----BEGIN CERTIFICATE-----")

    assert [one["identity"] for one in routers.said["routers"]] == ["lab-router-1", "lab-router-2"]
    with pytest.raises(LibRouterosError):
        librouteros.connect("127.0.0.1", "admin", "wrong", port=routers.said["api_port"])
    api = librouteros.connect(
        "127.0.0.1", "admin", routers.given["password"], port=routers.said["api_port"]
    )
    assert list(api.path("system", "identity")) == [{"name": "lab-router-1"}]
    api.close()
    api.protocol.transport.sock.close()

    assert lab.stop() == 3
    assert not lab.are_running()
    assert lab.stop() == 0


def test_no_secret_is_in_the_arguments_or_the_environment(lab, monkeypatch):
    monkeypatch.setattr(processes, "PARTS", (IPAM,))
    (ipam,) = lab.start()
    (pid,) = lab._running()

    with open(f"/proc/{pid}/cmdline", "rb") as arguments, open(f"/proc/{pid}/environ", "rb") as env:
        said = arguments.read() + env.read()
    assert ipam.given["token"].encode() not in said
    assert b"of the server" not in said


def test_one_that_does_not_start_leaves_none_behind(lab, monkeypatch):
    broken = Part("broken", "runbook.lab.no_such_module", "token", {})
    monkeypatch.setattr(processes, "PARTS", (IPAM, broken))

    with pytest.raises(ServerUnavailableError, match="no_such_module"):
        lab.start()
    assert list(lab._running()) == []


def test_a_missing_package_is_said(tmp_path):
    log = tmp_path / "pve.log"
    log.write_text("Traceback ...\nModuleNotFoundError: No module named 'fakepve'\n")

    error = processes._failure(processes.PVE, log)

    assert (error.code, processes.MISSING) == ("bad_configuration", error.message)


def test_nothing_else_loads_the_lab():
    script = """
import sys
import runbook.api.app, runbook.cli.app, runbook.worker.local, runbook.bootstrap
print([name for name in sys.modules if name.startswith(("runbook.lab", "fakepve", "pynetbox"))])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr
