"""Fans out as the inputs say, and hands over the counts as outputs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import runbook
from runbook.errors import RunbookError

FAILED, SKIPPED = 1, 3
COUNTS = ("succeeded", "failed", "skipped", "not_started")


def fan_out(**options: Any) -> int:
    """Run the runbook for each device. Returns the exit code, as of `runbook fanout`."""
    try:
        result = runbook.fanout(
            os.environ["RUNBOOK"],
            json.loads(os.environ["DEVICES"]),
            inputs_of(os.environ.get("INPUTS", "")),
            parallel=os.environ["PARALLEL"],
            max_failures=os.environ.get("MAX_FAILURES") or None,
            confirm=os.environ.get("CONFIRM") or None,
            **options,
        )
    except runbook.FanoutFailedError as error:
        return _end(error.result, FAILED)
    except RunbookError as error:
        sys.exit(error.message)
    return _end(result, SKIPPED if result["skipped"] else 0)


def inputs_of(text: str) -> dict[str, str]:
    """The inputs in lines of NAME=VALUE. Ends the script if one is wrong."""
    inputs = {}
    for line in filter(str.strip, text.splitlines()):
        name, equals, value = line.partition("=")
        if not equals:
            sys.exit(f"INPUTS: {line.strip()[:80]!r} is not NAME=VALUE")
        inputs[name.strip()] = value.strip()
    return inputs


def _end(result: Mapping[str, Any], code: int) -> int:
    for name in COUNTS:
        runbook.output(name.upper(), result[name])
    return code
