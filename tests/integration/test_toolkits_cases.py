"""The test files of the bundled toolkits pass, by the command that authors use."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from patience import PATIENCE_S

TOOLKITS = Path(__file__).parents[2] / "runbooks"
FILES = sorted(TOOLKITS.rglob("*.test.yaml"))


def test_the_cases_of_the_bundled_toolkits_pass(tmp_path):
    copy = tmp_path / "runbooks"
    shutil.copytree(TOOLKITS, copy)
    done = subprocess.run(
        [sys.executable, "-m", "runbook", "test", "--json"]
        + [str(copy / file.relative_to(TOOLKITS)) for file in FILES],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "RUNBOOKS_DIR": str(copy),
            "DATA_DIR": str(tmp_path / "data"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10 * PATIENCE_S,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["success"]
    assert {file.parent.name for file in FILES} >= {"health", "regex"}
