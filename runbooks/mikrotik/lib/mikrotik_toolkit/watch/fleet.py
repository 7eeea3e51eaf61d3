"""Executes a runbook for each of several devices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

import runbook
from runbook.errors import RunbookError

AT_ONCE = 4
LISTS = frozenset({"LOAD", "INTERFACES_DOWN", "ADDRESSES", "NEIGHBORS"})
"""Outputs of Poll and Neighbors that are JSON."""
INCOMPLETE = 4
"""Exit code of runbooks that couldn't read some of their devices."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run for a device returned, or why it failed."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


def each(names: list[str], ref: str, *, until: float = 100) -> dict[str, Result]:
    """In the order of the names. Progress goes up to `until` per cent."""
    found: dict[str, Result] = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = {pool.submit(_called, ref, name): name for name in names}
        for number, future in enumerate(as_completed(asked), start=1):
            found[asked[future]] = future.result()
            runbook.progress(until * number / len(names), f"{number} of {len(names)} routers")
    return {name: found[name] for name in names}


def _called(ref: str, name: str) -> Result:
    try:
        outputs = runbook.call(ref, ROUTER=name, quiet=True)
        return Result({key: _decoded(key, value) for key, value in outputs.items()})
    except RunbookError as error:
        return Result(error=error.message)


def _decoded(key: str, value: str) -> Any:
    """Outputs of called runs are texts."""
    return json.loads(value) if key in LISTS else value


def failed(results: Mapping[str, Result]) -> dict[str, str]:
    return {name: one.error for name, one in results.items() if one.error}
