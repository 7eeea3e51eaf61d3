"""Builds images with the Docker CLI."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path


def found_docker(environment: Mapping[str, str]) -> str | None:
    """The path of the Docker CLI; None if there is none."""
    return shutil.which("docker", path=environment.get("PATH", ""))


def build(docker: str, tag: str, context: Path, environment: Mapping[str, str]) -> int:
    """Build a context. Its output goes to standard error. Returns the exit code of Docker."""
    with context.open("rb") as archive:
        done = subprocess.run(
            [docker, "build", "--tag", tag, "-"],
            stdin=archive,
            stdout=2,
            env=dict(environment),
            check=False,
        )
    return done.returncode
