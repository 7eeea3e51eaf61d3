"""The process that checks a connection: `python -m runbook.connectors.checking MODULE`.

Reads the values as JSON from standard input, and writes the result as JSON to standard output.
The module has a function `check(values) -> CheckResult`.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict

from runbook.connectors.check import CheckResult
from runbook.connectors.errors import ConnectorError, ErrorCode


def check(module: str, values: Mapping[str, object]) -> CheckResult:
    """What the module's `check` says. Never raises."""
    try:
        found = importlib.import_module(module).check(values)
    except ImportError as error:
        missing = error.name or module
        text = f"This connector isn't installed: the module {missing} is missing"
        return CheckResult(False, ErrorCode.MISSING_EXTRA, text)
    except ConnectorError as error:
        return CheckResult(False, error.code, str(error))
    except Exception as error:  # noqa: BLE001 - a fault of the connector is a failed check
        text = f"The check failed: {type(error).__name__}: {error}"
        return CheckResult(False, ErrorCode.SERVER, text)
    return CheckResult(found.ok, found.code, found.message, found.version)


def main() -> None:
    result = check(sys.argv[1], json.load(sys.stdin))
    json.dump(asdict(result), sys.stdout)


if __name__ == "__main__":
    main()
