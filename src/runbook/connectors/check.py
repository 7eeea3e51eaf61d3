"""The result of checking a connection."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.connectors.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether the system answers and accepts the credentials; `version` is the system's."""

    ok: bool
    code: ErrorCode | None
    message: str
    version: str | None = None
