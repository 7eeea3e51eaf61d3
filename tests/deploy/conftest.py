"""The tests of the deployment files run with `make test-deploy`: they need programs of their own."""

import os

import pytest

IS_WANTED = os.environ.get("TEST_DEPLOY") == "1"


def pytest_collection_modifyitems(items):
    if not IS_WANTED:
        mark = pytest.mark.skip(reason="runs with make test-deploy")
        for item in items:
            if "tests/deploy/" in item.nodeid:
                item.add_marker(mark)
