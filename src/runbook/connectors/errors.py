"""What went wrong in another system: a stable code, an exit code, and one clear message.

A ConnectorError that a script doesn't catch ends it with this exit code and the message on standard
error, without a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from types import TracebackType

from runbook.errors import RunbookError
from runbook.script.commands import in_run


class ErrorCode(StrEnum):
    AUTH = "auth"
    """The system doesn't accept the credentials."""
    TLS = "tls"
    """The system's certificate can't be verified, or it doesn't speak TLS."""
    TIMEOUT = "timeout"
    """The system didn't answer in time."""
    UNREACHABLE = "unreachable"
    """The system, or one of its nodes, can't be reached."""
    REFUSED = "refused"
    """The credentials don't have the permission, or the system refuses the connection."""
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    """The name or number is taken, or the state doesn't allow it."""
    INVALID = "invalid"
    """The system rejects a value; the message names the fields."""
    FULL = "full"
    """No space, or no free number or address, is left."""
    LOCKED = "locked"
    """Another task has it locked."""
    SERVER = "server"
    """Any other error of the system."""
    MISSING_EXTRA = "missing_extra"
    """A Python package is not installed; the message says which."""
    TASK_FAILED = "task_failed"
    """The system accepted the change, but its task failed."""
    HOST_KEY = "host_key"
    """An SSH server shows another host key than the one to expect."""
    TRUNCATED = "truncated"
    """An answer or a file ended too early."""
    DEVICE_ERROR = "device_error"
    """A device reports an error; the message has its words."""


EXIT_CODES: Mapping[ErrorCode, int] = {
    code: number for number, code in enumerate(ErrorCode, start=10)
}


class ConnectorError(RunbookError):
    """Another system reported an error.

    `nothing_changed`: the system refused the request, so that it surely changed nothing.
    `answered`: the request has ended. Whether it changed something can be looked up at once, since
    it can't arrive later, as one without an answer can.
    `fields` has the system's message for each field that it rejects.
    """

    def __init__(
        self,
        message: str,
        code: ErrorCode = ErrorCode.SERVER,
        *,
        nothing_changed: bool = False,
        answered: bool = False,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code: ErrorCode = code  # type: ignore[misc]
        self.exit_code = EXIT_CODES[code]  # type: ignore[misc]
        self.nothing_changed = nothing_changed
        self.answered = answered or nothing_changed
        self.fields = dict(fields or {})


def end_script(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """End a script whose error nobody caught. Any other error keeps its traceback."""
    if not isinstance(error, RunbookError):
        _before(kind, error, traceback)
        return
    print(f"{error.code}: {error.message}", file=sys.stderr)  # noqa: T201 - a script's output
    raise SystemExit(error.exit_code)


_before = sys.excepthook
if in_run():
    sys.excepthook = end_script
