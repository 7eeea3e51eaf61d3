"""The result of checking a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.connectors.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether the system answers and accepts the credentials; `version` is the system's.

    `host_keys` are those of SSH servers that were met for the first time, by address.
    """

    ok: bool
    code: ErrorCode | None
    message: str
    version: str | None = None
    host_keys: Mapping[str, str] = field(default_factory=dict)
