"""Calls of other runbooks, whose failure ends this one with the same code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import runbook
from runbook.connectors.errors import EXIT_CODES, ConnectorError, ErrorCode

CODES = {number: code for code, number in EXIT_CODES.items()}
_UNANSWERED = (ErrorCode.TIMEOUT, ErrorCode.UNREACHABLE, ErrorCode.LOCKED, ErrorCode.SERVER)
"""With these, the last request of the called runbook may not have ended.

`server` is also the code if a proxy has passed it on, and `locked` if its work hasn't ended.
"""


def call(ref: str, inputs: Mapping[str, object], **options: Any) -> dict[str, Any]:
    """The outputs of the called runbook. Inputs without a value aren't passed."""
    given = {name: value for name, value in inputs.items() if value not in (None, "")}
    try:
        return runbook.call(ref, given, **options)
    except runbook.CalledRunbookError as error:
        code = CODES.get(error.done.get("return_code", 0))
        answered = code not in (None, *_UNANSWERED)
        raise ConnectorError(
            error.message, code or ErrorCode.TASK_FAILED, answered=answered
        ) from None
