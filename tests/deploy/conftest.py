"""Tests of the files in docker/, with real programs but without containers.

They take minutes, so they are collected only if TEST_DEPLOY=1, or if their path is given.
`make test-deploy` runs them.
"""

import os
from pathlib import Path

HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path, config):
    if os.environ.get("TEST_DEPLOY") == "1":
        return None
    given = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    if any(path == HERE or HERE in path.parents for path in given):
        return None
    return True
