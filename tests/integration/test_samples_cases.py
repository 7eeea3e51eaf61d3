"""Every test file of the samples passes, by the command that authors use."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from patience import PATIENCE_S

SAMPLES = Path(__file__).parents[2] / "samples"
RUNBOOKS = SAMPLES / "runbooks"
FILES = sorted(SAMPLES.rglob("*.test.yaml"))


@pytest.fixture
def command(tmp_path):
    """`runbook` in a folder with a copy of the samples, with nothing of our environment."""
    copy = tmp_path / "samples"
    shutil.copytree(SAMPLES, copy)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "RUNBOOKS_DIR": str(copy / "runbooks"),
        "DATA_DIR": str(tmp_path / "data"),
    }

    def call(*args):
        return subprocess.run(
            [sys.executable, "-m", "runbook", *args],
            env=environment,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10 * PATIENCE_S,
            check=False,
        )

    return call


def test_there_are_test_files():
    assert {"SimpleRunbook.test.yaml", "FailingRunbook.test.yaml"} <= {file.name for file in FILES}


HALVES = (FILES[::2], FILES[1::2])


@pytest.mark.parametrize("files", HALVES, ids=("even", "odd"))
def test_the_cases_of_the_samples_pass(command, files):
    """In halves, so that two workers share them, and no more processes than necessary start."""
    done = command("test", *(f"samples/{file.relative_to(SAMPLES)}" for file in files), "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["success"]
    assert report["passed"] == len(report["cases"]) >= len(files)


def test_all_samples_are_clean_and_have_the_form(command):
    lint = command("lint")
    assert lint.returncode == 0, lint.stdout
    fmt = command("fmt", "--check")
    assert fmt.returncode == 0, fmt.stdout
