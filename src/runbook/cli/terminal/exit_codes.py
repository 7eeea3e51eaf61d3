"""How a run's end becomes an exit code."""

from __future__ import annotations

from collections.abc import Mapping

INVALID = 65
LOST = 70
REFUSED = 77
TIMED_OUT = 124
CANCELLED = 130

_BY_STATUS = {
    "succeeded": 0,
    "timed_out": TIMED_OUT,
    "cancelled": CANCELLED,
    "interrupted": LOST,
    "lost": LOST,
    "refused": REFUSED,
    "invalid": INVALID,
}


def of_run(run: Mapping[str, object]) -> int:
    """The exit code of an ended run or a `done` event: the script's own where it has one.

    A script that signal N killed exits with 128 + N, as in a shell.
    """
    status = str(run.get("status"))
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    code = run.get("return_code")
    if not isinstance(code, int) or code == 0:
        return 1
    return 128 - code if code < 0 else code
