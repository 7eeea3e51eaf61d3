"""The process that asks the system of a connection: `python -m runbook.connectors.checking MODULE`.

Reads a question as JSON from standard input: `values`; for kinds with SSH also the connection's
`name` and `kind`, and the known `host_keys` by address. Writes the result as JSON to standard
output. The module has a function `check(values)`, or with SSH `check_knowing` and `scan_host_keys`;
the latter answers if the question is `{"scan": true, ...}`.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from runbook.connectors.check import CheckResult
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys


def check(module: str, values: Mapping[str, object]) -> CheckResult:
    """What the module's `check` says. Never raises."""
    return _result(module, lambda: importlib.import_module(module).check(values))


def check_knowing(module: str, given: ConnectionValues, known: Mapping[str, str]) -> CheckResult:
    """What the module's `check_knowing` says, with the host keys that it met. Never raises."""
    keys = CollectedHostKeys(known)
    found = _result(module, lambda: importlib.import_module(module).check_knowing(given, keys))
    return replace(found, host_keys=keys.met)


def scan(module: str, given: ConnectionValues, known: Mapping[str, str]) -> CheckResult:
    """What the module's `scan_host_keys` finds, as `host_keys`. Never raises."""

    def scanned() -> CheckResult:
        keys = CollectedHostKeys(known)
        found = importlib.import_module(module).scan_host_keys(given, keys)
        return CheckResult(True, None, "", None, found)

    return _result(module, scanned)


def _result(module: str, asked: Callable[[], CheckResult]) -> CheckResult:
    try:
        return asked()
    except ImportError as error:
        missing = error.name or module
        text = f"This connector isn't installed: the module {missing} is missing"
        return CheckResult(False, ErrorCode.MISSING_EXTRA, text)
    except ConnectorError as error:
        return CheckResult(False, error.code, str(error))
    except Exception as error:  # noqa: BLE001 - a fault of the connector is a failed check
        text = f"The check failed: {type(error).__name__}: {error}"
        return CheckResult(False, ErrorCode.SERVER, text)


def answer(module: str, question: Mapping[str, Any]) -> CheckResult:
    if "host_keys" not in question:
        return check(module, question["values"])
    given = ConnectionValues(question["name"], question["kind"], question["values"])
    asked = scan if question.get("scan") else check_knowing
    return asked(module, given, question["host_keys"])


def main() -> None:
    json.dump(asdict(answer(sys.argv[1], json.load(sys.stdin))), sys.stdout)


if __name__ == "__main__":
    main()
