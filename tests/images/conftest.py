"""One engine for all tests, with our images, which are built once."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import runbook
from docker_engine.engine import running
from docker_engine.fixtures import wanted
from docker_engine.missing import NotAvailableError
from images.rootfs import root_file_system

ROOT = Path(__file__).parents[2]
BASE = "tests/python:slim"
BUILT_AT = "2026-01-02T03:04:05Z"
SECONDS = {}
"""How long the parts took, for the summary."""
SIZES = {}

# Only `make test-images` collects them: they need an engine, and take minutes.
collect_ignore_glob = [] if wanted() else ["test_*.py"]


@contextlib.contextmanager
def timed(what):
    start = time.monotonic()
    yield
    SECONDS[what] = time.monotonic() - start


class Images:
    """Builds images from our Dockerfiles, and runs containers of them."""

    def __init__(self, engine):
        self.engine = engine
        self.docker = engine.docker
        self.out = engine.out

    def build(self, file, tag, *, context=ROOT, **arguments):
        given = [word for pair in arguments.items() for word in ("--build-arg", "=".join(pair))]
        with timed(f"build {tag}"):
            self.docker("build", "--file", file, "--tag", tag, *given, context)
        SIZES[tag] = int(self.out("image", "inspect", "--format", "{{.Size}}", tag))

    def run(self, image, *arguments, options=(), check=True):
        """A container's output, and its exit code."""
        return self.docker("run", "--rm", *options, image, *arguments, check=check)

    def start(self, image, *arguments, options=()):
        """The ID of a container in the background."""
        return self.out("run", "--detach", *options, image, *arguments)

    def inspect(self, name, field):
        return json.loads(self.out("inspect", "--format", f"{{{{json .{field}}}}}", name))

    def wait_for_line(self, container, text):
        """Wait until the container has printed a text."""
        command = [self.engine.client, "logs", "--follow", container]
        with subprocess.Popen(
            command,
            env=self.engine.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as logs:
            seen = ""
            for line in logs.stdout:
                seen += line
                if text in line:
                    logs.kill()
                    return
        raise AssertionError(f"{text!r} is not in {seen!r}")

    def package(self, folder, tag, *arguments, check=True):
        """`runbook package` on this machine, with the engine's Docker CLI."""
        command = [sys.executable, "-m", "runbook", "package", str(folder), "--tag", tag]
        environment = {
            **self.engine.environment,
            "PATH": f"{Path(self.engine.client).parent}:{os.environ['PATH']}",
            "DATA_DIR": str(folder.parent / "data"),
        }
        done = subprocess.run(
            [*command, "--base", "runbook", *arguments],
            env=environment,
            cwd=folder.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{arguments}: {done.returncode}: {done.stderr}")
        return done


@pytest.fixture(scope="session")
def images():
    """The engine with the base image. On a machine where it can't run, that is a failure."""
    try:
        with timed("root file system"):
            archive = root_file_system()
        with running(egress=True) as engine:
            made = Images(engine)
            with timed(f"import {BASE}"):
                engine.docker("import", archive, BASE)
            SIZES[BASE] = int(made.out("image", "inspect", "--format", "{{.Size}}", BASE))
            arguments = {"BASE_IMAGE": BASE, "BUILT_AT": BUILT_AT, "REVISION": "0123abc"}
            made.build(ROOT / "Dockerfile", "runbook", **arguments)
            yield made
    except NotAvailableError as missing:
        pytest.fail(f"No Docker Engine can run here: {missing}", pytrace=False)


@pytest.fixture(scope="session")
def extended(images):
    images.build(ROOT / "samples/Dockerfile.extended", "runbook:extended")
    return "runbook:extended"


def runbook_text(name, script, *, inputs="", claims="", language="sh"):
    restricted = f"\n# Required Claims\n\n```yaml\n{claims}\n```\n" if claims else ""
    return (
        f"# {name}\n\n# Environment Requirements\n\n```yaml\n{inputs}\n```\n\n"
        f"# File System Requirements\n\n```yaml\nInput:\n```\n{restricted}\n"
        f"# Script\n\n```{language}\n{script}\n```\n\n# History\n"
    )


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def version():
    return runbook.__version__


def names(text):
    return set(re.findall(r"^\S+", text, re.MULTILINE))


def pytest_terminal_summary(terminalreporter):
    if not SIZES:
        return
    terminalreporter.section("images")
    for name, size in SIZES.items():
        terminalreporter.write_line(f"{size / 1e6:8.1f} MB  {name}")
    for what, seconds in SECONDS.items():
        terminalreporter.write_line(f"{seconds:8.2f} s   {what}")
