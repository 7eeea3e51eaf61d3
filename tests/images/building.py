"""Builds our images on an engine, and runs containers of them."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import runbook

ROOT = Path(__file__).parents[2]
BASE = "tests/python:slim"
BUILT_AT = "2026-01-02T03:04:05Z"
SECONDS = {}
"""How long the parts took, for the summary."""
SIZES = {}
SAVED = "TEST_IMAGES_SAVED"
"""Names a folder where images are kept between runs. Empty it if what they are built of changes."""


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

    def build(self, file, tag, *, context=ROOT, buildkit="0", **arguments):
        """With the classic builder, or with BuildKit."""
        environment = {**self.engine.environment, "DOCKER_BUILDKIT": buildkit}
        given = [word for pair in arguments.items() for word in ("--build-arg", "=".join(pair))]
        with timed(f"build {tag}"):
            command = ("build", "--file", file, "--tag", tag, *given, context)
            self.docker(*command, env=environment)
        self.measure(tag)

    def build_once(self, file, tag, **more):
        """Like `build`. If SAVED is set, the image is loaded from there, or saved there."""
        folder = os.environ.get(SAVED)
        archive = Path(folder or "", f"{tag.replace('/', '-')}.tar")
        if folder and archive.exists():
            with timed(f"load {tag}"):
                self.docker("load", "--input", archive)
            self.measure(tag)
            return
        self.build(file, tag, **more)
        if folder:
            archive.parent.mkdir(parents=True, exist_ok=True)
            with timed(f"save {tag}"):
                self.docker("save", "--output", archive, tag)

    def measure(self, tag):
        SIZES[tag] = int(self.out("image", "inspect", "--format", "{{.Size}}", tag))

    def run(self, image, *arguments, options=(), check=True):
        """A container's output, and its exit code."""
        return self.docker("run", "--rm", *options, image, *arguments, check=check)

    def start(self, image, *arguments, options=()):
        """The ID of a container in the background."""
        return self.out("run", "--detach", *options, image, *arguments)

    def inspect(self, name, field):
        return json.loads(self.out("inspect", "--format", f"{{{{json .{field}}}}}", name))

    def wait_until_healthy(self, container):
        """Raises AssertionError if it ends, or its checks fail."""
        filters = ("event=health_status", "event=die", f"container={container}")
        given = [word for one in filters for word in ("--filter", one)]
        command = [self.engine.client, "events", "--since", "0", "--format", "{{.Status}}", *given]
        with subprocess.Popen(
            command, env=self.engine.environment, stdout=subprocess.PIPE, text=True
        ) as health:
            said = health.stdout.readline().strip()
            health.kill()
        if said != "health_status: healthy":
            logs = self.docker("logs", container)
            raise AssertionError(f"{said}: {logs.stdout}{logs.stderr}")

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
