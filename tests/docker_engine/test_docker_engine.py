"""The engine of the tests itself. Part of `make test-images`."""

import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest

from docker_engine import packages
from docker_engine.engine import running
from docker_engine.fixtures import docker_engine, wanted
from docker_engine.scratch import HIERARCHIES, groups, scratch

__all__ = ["docker_engine"]
pytestmark = pytest.mark.skipif(not wanted(), reason="part of make test-images (TEST_IMAGES=1)")

COMPOSE = "services:\n  web:\n    image: {image}\n    ports: ['8080:80']\n"
KILLED = """
import os, signal
from docker_engine.scratch import scratch

with scratch() as folder:
    (folder / "data").mkdir()
    print(folder.name, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def traces():
    """What an engine could leave on this machine."""
    devices = set(os.listdir("/sys/class/net"))
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    places = ["/etc/docker", "/opt/containerd", "/run/containerd", "/run/docker", "/var/lib/docker"]
    groups = {*Path("/sys/fs/cgroup").glob("*/rbde*"), *Path("/sys/fs/cgroup").glob("rbde*")}
    forward = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    return devices, mounts, {one for one in places if Path(one).exists()}, groups, forward, rules()


def rules():
    """Of the firewall, without counters."""
    root = packages.CACHE / "root"
    given = {"LD_LIBRARY_PATH": str(next(root.glob("usr/lib/*/libxtables.so.*")).parent)}
    command = [root / "usr/sbin/iptables-nft-save"]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=given)
    return [line for line in found.stdout.splitlines() if line.startswith("-A")]


def test_runs_containers(docker_engine):
    docker_engine.busybox("tests/app:1", {"/hello": "hello"})
    done = docker_engine.docker(
        "run", "--rm", "tests/app:1", "sh", "-c", "cat /hello; exit 7", check=False
    )
    assert (done.returncode, done.stdout) == (7, "hello")


def test_serves_published_ports_of_a_stack(docker_engine, tmp_path):
    serve = ("httpd", "-f", "-p", "80", "-h", "/www")
    docker_engine.busybox("tests/web:1", {"/www/index.html": "hello"}, command=serve)
    (tmp_path / "compose.yaml").write_text(COMPOSE.format(image="tests/web:1"))
    stack = ["compose", "--project-directory", tmp_path, "--project-name", "served"]
    docker_engine.docker(*stack, "up", "--detach", "--wait")
    with urllib.request.urlopen(f"http://{docker_engine.address}:8080/") as answer:
        assert answer.read() == b"hello"
    docker_engine.docker(*stack, "down")


def test_pulls_from_its_registry(docker_engine):
    with docker_engine.registry() as registry:
        docker_engine.busybox(f"{registry}/pulled:1")
        docker_engine.docker("push", f"{registry}/pulled:1")
        docker_engine.docker("rmi", f"{registry}/pulled:1")
        docker_engine.docker("pull", f"{registry}/pulled:1")


def test_demands_a_certificate(docker_engine):
    tls = docker_engine.authority.folder
    known = ["--tlsverify", "--tlscacert", tls / "ca.pem", "--host", docker_engine.tls_host]
    ours = ["--tlscert", tls / "client.pem", "--tlskey", tls / "client-key.pem"]
    assert docker_engine.docker(*known, *ours, "version").returncode == 0
    assert docker_engine.docker(*known, "version", check=False).returncode != 0


@pytest.mark.parametrize("egress", [False, True])
def test_leaves_nothing(egress):
    packages.unpacked()
    before = traces()
    with running(egress=egress) as engine:
        engine.busybox("app:1")
        engine.docker("run", "--detach", "--publish", "8080:80", "app:1")
        folder, pid = engine.folder, engine.pid
    assert traces() == before
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_removes_what_a_killed_process_has_left():
    command = [sys.executable, "-c", KILLED]
    given = {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=given)
    left = done.stdout.strip()
    assert (Path(tempfile.gettempdir()) / left / "data").exists()
    version_1 = HIERARCHIES / "pids"
    top = version_1 if version_1.exists() else HIERARCHIES
    (top / left / "container").mkdir(parents=True)
    with scratch() as used, scratch():
        assert used.exists()
        assert not (used.parent / left).exists()
    assert groups(left) == []
