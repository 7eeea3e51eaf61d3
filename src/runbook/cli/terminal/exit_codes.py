"""Exit codes of runs."""

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
    """The exit code of a finished run or a `done` event: the script's own if it has one.

    As in a shell, 128 + N if signal N killed the script.
    """
    status = str(run.get("status"))
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    code = run.get("return_code")
    if not isinstance(code, int) or code == 0:
        return 1
    return 128 - code if code < 0 else code
