"""The image that stands for python:3.12-slim where no registry can be reached: Debian's packages.

It gets this machine's certificates and how pip and npm find them. Made once, in `.cache/images`.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from docker_engine.missing import NotAvailableError

CACHE = Path(__file__).parents[2] / ".cache/images"
PACKAGES = "python3,python3-venv,ca-certificates"
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
SETTINGS = {
    "etc/pip.conf": f"[global]\ncert = {AUTHORITIES}\n",
    "root/.npmrc": f"cafile={AUTHORITIES}\n",
}


def root_file_system():
    """The path of a tar archive. Raises NotAvailableError."""
    suite = _suite()
    archive = CACHE / f"{suite}.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            _make(suite, Path(scratch)).rename(archive)
    return archive


def _suite():
    known = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if line
    )
    if known.get("ID") != "debian":
        raise NotAvailableError("The base image is made of Debian's packages, on Debian")
    return known["VERSION_CODENAME"]


def _make(suite, scratch):
    tools = scratch / "tools"
    _do(["apt-get", "-o", "APT::Sandbox::User=root", "download", "mmdebstrap"], cwd=scratch)
    (package,) = scratch.glob("mmdebstrap_*.deb")
    _do(["dpkg", "-x", package, tools])
    archive = scratch / "root.tar"
    options = [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
    options += ["--dpkgopt=path-include=/usr/share/doc/*/copyright", *_hooks(scratch)]
    command = [tools / "usr/bin/mmdebstrap", "--quiet", "--mode=root", "--variant=apt"]
    command += [f"--include={PACKAGES}", *options, suite, archive]
    _do(command, env={**os.environ, "PATH": f"{tools}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
    return archive


def _hooks(scratch):
    if not AUTHORITIES.exists():
        return
    yield f"--customize-hook=copy-in {AUTHORITIES} {AUTHORITIES.parent}"
    for name, text in SETTINGS.items():
        file = scratch / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        yield f"--customize-hook=copy-in {file} /{file.parent.name}"


def _do(command, **more):
    if shutil.which(str(command[0])) is None:
        raise NotAvailableError(f"{command[0]} is missing: the base image is made with it")
    done = subprocess.run(command, check=False, capture_output=True, text=True, **more)
    if done.returncode:
        raise NotAvailableError(f"{Path(command[0]).name}: {done.stderr.strip()[-2000:]}")
