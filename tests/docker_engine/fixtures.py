"""For the conftest of a folder: `from docker_engine.fixtures import docker_engine`.

Tests of a real engine are part of `make test-images`, which sets TEST_IMAGES=1. There, and wherever
else somebody sets it, a machine on which no engine can run is a failure that says why.
"""

import os

import pytest

from docker_engine.engine import running
from docker_engine.missing import NotAvailableError


def wanted():
    """Whether tests of a real engine are part of this run."""
    return os.environ.get("TEST_IMAGES") == "1"


@pytest.fixture(scope="session")
def docker_engine():
    """One for all tests; containers are removed only at the end."""
    try:
        with running() as engine:
            yield engine
    except NotAvailableError as missing:
        pytest.fail(f"No Docker Engine can run here: {missing}", pytrace=False)
