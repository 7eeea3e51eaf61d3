"""What goes wrong with other systems: each with a stable code."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    AUTH = "auth"
    TLS = "tls"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    FULL = "full"
    LOCKED = "locked"
    SERVER = "server"
    MISSING_EXTRA = "missing_extra"
    TASK_FAILED = "task_failed"


class ConnectorError(Exception):
    """Another system refused, or can't be reached."""

    def __init__(self, message: str, code: ErrorCode) -> None:
        self.message = message
        self.code = code
        super().__init__(message)
