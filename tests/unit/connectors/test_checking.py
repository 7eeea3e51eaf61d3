"""The process that checks a connection."""

import sys
from types import ModuleType

import pytest

from runbook.connectors.check import CheckResult
from runbook.connectors.checking import check
from runbook.connectors.errors import ConnectorError, ErrorCode


@pytest.fixture
def connector(monkeypatch):
    module = ModuleType("a_connector")
    monkeypatch.setitem(sys.modules, "a_connector", module)
    return module


def test_the_answer_is_the_connectors(connector):
    connector.check = lambda values: CheckResult(True, None, values["host"], "8.4")
    assert check("a_connector", {"host": "pve"}) == CheckResult(True, None, "pve", "8.4")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectorError("no", ErrorCode.AUTH), ErrorCode.AUTH),
        (ImportError("no", name="proxmoxer"), ErrorCode.MISSING_EXTRA),
        (ValueError("no"), ErrorCode.SERVER),
    ],
)
def test_a_check_that_fails_says_why(connector, error, code):
    def fail(values):
        raise error

    connector.check = fail
    found = check("a_connector", {})
    assert (found.ok, found.code) == (False, code)


def test_a_connector_that_is_not_there_is_missing():
    assert check("runbook.connectors.nowhere", {}).code is ErrorCode.MISSING_EXTRA
