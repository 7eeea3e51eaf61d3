"""What errors of requests mean for connectors whose client sends its requests by it."""

from __future__ import annotations

from requests import exceptions
from urllib3.exceptions import NameResolutionError, NewConnectionError

from runbook.connectors.errors import ErrorCode


def code_and_effect(error: exceptions.RequestException) -> tuple[ErrorCode, bool]:
    """The error's code, and whether the request surely changed nothing, as it wasn't sent."""
    match error:
        case exceptions.SSLError():
            return ErrorCode.TLS, True
        case exceptions.Timeout():
            return ErrorCode.TIMEOUT, isinstance(error, exceptions.ConnectTimeout)
    return ErrorCode.UNREACHABLE, _is_unsent(error)


def _is_unsent(error: Exception) -> bool:
    """Whether there was no connection at all."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(cause, NewConnectionError | NameResolutionError)
