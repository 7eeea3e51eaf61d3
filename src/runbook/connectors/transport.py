"""What connectors share whose client sends its requests with requests: TLS, and errors."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from requests import exceptions
from urllib3.exceptions import NameResolutionError, NewConnectionError

from runbook.connectors.errors import ConnectorError, ErrorCode

PASSED_ON = frozenset({408, 499, 502, 503, 504, *range(520, 528)})
"""Statuses of proxies, which may have passed the request on: the system may still work on it."""


def tls_context(values: Mapping[str, object]) -> ssl.SSLContext:
    """How a connection's `ca` and `verify_tls` verify certificates.

    Raises ConnectorError if the CA certificate can't be read.
    """
    ca = values.get("ca")
    try:
        context = ssl.create_default_context(cadata=str(ca) if ca else None)
    except ssl.SSLError:
        text = "The CA certificate of the connection isn't in PEM"
        raise ConnectorError(text, ErrorCode.INVALID, nothing_changed=True) from None
    if values.get("verify_tls") in (False, "false"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def verifies(context: ssl.SSLContext) -> bool:
    return context.verify_mode is ssl.CERT_REQUIRED


def reason_of(error: Exception) -> str:
    """The innermost cause, which says it best, without addresses of objects."""
    cause: BaseException = error
    while True:
        known = (getattr(cause, "reason", None), *cause.args[:1], cause.__cause__)
        inner = next((one for one in known if isinstance(one, BaseException)), None)
        if inner is None:
            break
        cause = inner
    text = str(getattr(cause, "strerror", None) or cause)
    return text.rpartition(">: ")[2] or type(cause).__name__


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
