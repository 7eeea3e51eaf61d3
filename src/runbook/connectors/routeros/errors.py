"""What RouterOS' messages mean. The API and the console use the same words."""

from __future__ import annotations

import re

from runbook.connectors.errors import ErrorCode

# The first that matches counts.
_TEXTS: tuple[tuple[re.Pattern[str], ErrorCode], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code)
    for pattern, code in (
        (r"invalid user name or password|cannot log in|not logged in", ErrorCode.AUTH),
        (r"not enough permissions|not allowed by device-mode|not permitted", ErrorCode.REFUSED),
        (r"no such item|no such file|file not found", ErrorCode.NOT_FOUND),
        (r"already have|already exists|entry already|with the same name", ErrorCode.CONFLICT),
        (r"not enough (disk |free )?space|no space left|disk full", ErrorCode.FULL),
        (r"no such command|bad command name|syntax error", ErrorCode.INVALID),
        (r"expected (end of )?command|expected \w+ name", ErrorCode.INVALID),
        (r"unknown parameter|invalid value|does not match any value", ErrorCode.INVALID),
        (r"missing (value|=)|ambiguous value|out of range|value of ", ErrorCode.INVALID),
    )
)
_CONSOLE = re.compile(
    r"^(?:Script Error: |\[[^\]]*\] )?"
    r"(?:failure: |syntax error|bad command name|bad parameter|expected |no such |not enough "
    r"|not allowed|input does not match|invalid |value of |missing value|ambiguous value"
    r"|unknown parameter|error(?: |:)|couldn't |can't |can not |cannot |interrupted)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"\(?(?:.*; )?line (\d+)(?: column \d+)?\)?")


def code_of(message: str) -> ErrorCode:
    """What a message means."""
    return next(
        (code for pattern, code in _TEXTS if pattern.search(message)), ErrorCode.DEVICE_ERROR
    )


def console_error(output: str) -> str | None:
    """The line of a command's output that reports an error: some versions exit with 0 all the same.

    Older versions print it last.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if _CONSOLE.match(line)), None)


def line_of(message: str) -> int | None:
    """The line of a script that a message names."""
    found = _PLACE.search(message)
    return int(found[1]) if found else None
