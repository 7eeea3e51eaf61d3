"""The interface of sources of runbooks and runs: this machine or a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from runbook.cli.options.inputs import GivenInputs
from runbook.core.runbook_filter import ALL_RUNBOOKS, RunbookFilter
from runbook.quick_dataclass import dataclass

Json = Mapping[str, Any]
TOKEN_VARIABLE = "RUNBOOK_TOKEN"  # noqa: S105 - a variable's name
URL_VARIABLE = "RUNBOOK_URL_BASE"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs to list. `since` is in milliseconds since the epoch.

    `dry_run` selects dry runs or all others. All of `inputs` must match: `NAME=VALUE`, or a text.
    """

    runbook: str | None = None
    statuses: tuple[str, ...] = ()
    who: str | None = None
    since: int | None = None
    dry_run: bool | None = None
    inputs: tuple[str, ...] = ()
    device: str | None = None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which audit events to list. Times are in milliseconds since the epoch."""

    who: str | None = None
    action: str | None = None
    target: str | None = None
    since: int | None = None
    until: int | None = None


class RunSource(Protocol):
    """A source of runbooks and runs, in the JSON form of the HTTP API.

    Methods raise RunbookError: NotFoundError, AuthenticationError, ServerUnavailableError, ...
    """

    def runbooks(self, wanted: RunbookFilter = ALL_RUNBOOKS) -> list[Json]: ...

    def runbook(self, ref: str) -> Json: ...

    def inputs(self, ref: str) -> Json:
        """The runbook's inputs as JSON Schema."""

    def required_env(self, ref: str) -> Json: ...

    def choices(
        self, ref: str, path: str, values: Mapping[str, object], row: Mapping[str, object] | None
    ) -> Json:
        """The choices for an input, or for a field of a list in this row."""

    def validate(self, ref: str, inputs: GivenInputs) -> Json: ...

    def runs(self, query: RunQuery, cursor: str | None, limit: int) -> Json:
        """`{"runs": [...], "next_cursor": ...}`, newest first, at most `limit` (to 200)."""

    def run(self, run_id: str) -> Json: ...

    def events(self, run_id: str, *, after: int = 0) -> Iterator[Json]:
        """The events numbered above `after`, as they happen, up to and including `done`."""

    def cancel(self, run_id: str) -> Json: ...

    def devices(self, run_id: str, cursor: str | None, limit: int) -> Json:
        """The fan-outs of a run, and a page of their devices, at most `limit` (to 200)."""

    def pause(self, run_id: str, *, paused: bool) -> Json:
        """Pause the fan-outs of a run, or continue them."""

    def audit(self, query: AuditQuery, cursor: int | None, limit: int) -> Json:
        """`{"events": [...], "next_cursor": ...}`, newest first, at most `limit` (to 200)."""

    def artifacts(self, run_id: str) -> list[Json]: ...

    def artifact(self, run_id: str, name: str) -> bytes:
        """The content of an artifact."""
