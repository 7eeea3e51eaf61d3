"""What goes into the store and what comes out of it, besides `Run` and `RunEvent`.

Times are `Millis`: whole milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from runbook.core.audit import AuditEvent
from runbook.core.events import EventType
from runbook.core.run import (
    Relation,
    Requester,
    RerunOf,
    Run,
    RunbookVersion,
    RunRequest,
    RunResult,
    RunTree,
)
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.core.waiting import Holder


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The bytes of a runbook that were authorized, kept under their digest."""

    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's promise that requests under one key are the same request.

    `request_digest` digests the request, so that another request under the key is noticed.
    """

    caller: str
    key: str
    request_digest: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no number yet.

    Output events carry `text` and must carry `line` and `offset` (see `RunEvent`).
    """

    at: Millis
    type: EventType
    text: str | None = None
    data: Mapping[str, object] | None = None
    step: int | None = None
    line: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run at its birth: queued, running (claimed at once), refused or invalid.

    `assigned_to` is the only worker that may claim it; a run born running belongs to it.
    `sealed_inputs` are the encrypted values; `request.inputs` is what may be shown of them.
    `result` is of a run born ended. `created_at` and `finished_at` default to the store's clock.
    """

    id: str
    runbook: RunbookVersion
    status: RunStatus
    requester: Requester
    correlation_id: str
    tree: RunTree
    request: RunRequest
    sealed_inputs: bytes | None = None
    assigned_to: str | None = None
    result: RunResult = field(default_factory=RunResult)
    created_at: Millis | None = None
    finished_at: Millis | None = None
    rerun_of: RerunOf | None = None

    @property
    def ref(self) -> str:
        return self.runbook.ref

    @property
    def relation(self) -> Relation | None:
        return None if self.rerun_of is None else self.rerun_of.relation


@dataclass(frozen=True, slots=True)
class Created:
    """`replayed` is true where an earlier request under the same key had made the run."""

    run: Run
    replayed: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that the caller now owns, and all it takes to execute it.

    `busy` names who holds a lock of a run that does not wait for it, or would wait for ever: the
    run is only ended.
    """

    run: Run
    sealed_inputs: bytes | None
    document: StoredDocument
    busy: Holder | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has ended, and how many runs that waited for its locks may go on now."""

    run: Run
    going_on: int


@dataclass(frozen=True, slots=True)
class HistoryHead:
    """Where the chain of a runbook's history entries stands: their number, the last digest."""

    n: int
    digest: str


@dataclass(frozen=True, slots=True)
class LastRun:
    """What became of a runbook lately. `revision` grows with every change of any row."""

    ref: str
    revision: int
    last_run_id: str | None
    last_status: RunStatus | None
    last_finished_at: Millis | None
    last_success_at: Millis | None
    last_by: str | None
    history: HistoryHead | None


@dataclass(frozen=True, slots=True)
class LastRuns:
    """The rows that changed since a revision, and the revision to ask from next time."""

    rows: tuple[LastRun, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Visibility:
    """Which runs a caller may see: those of `refs`, and those that `subject` asked for."""

    refs: frozenset[str] = frozenset()
    subject: str | None = None
    everything: bool = False


EVERYTHING = Visibility(everything=True)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to list; what is None or empty does not narrow.

    `since` is inclusive, `until` exclusive, both about `created_at`. `text` is looked for in
    ref, name, reason and id, whatever its case. `active` is whether the run has not ended yet.
    """

    visible: Visibility = EVERYTHING
    ids: frozenset[str] | None = None
    refs: frozenset[str] | None = None
    statuses: frozenset[RunStatus] = frozenset()
    subject: str | None = None
    since: Millis | None = None
    until: Millis | None = None
    root_id: str | None = None
    parent_id: str | None = None
    text: str | None = None
    relation: Relation | None = None
    dry_run: bool | None = None
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """As much of a run that has not ended as a list shows that is alive."""

    id: str
    ref: str
    status: RunStatus
    by: str
    created_at: Millis
    started_at: Millis | None
    root_id: str | None
    waiting: Holder | None


@dataclass(frozen=True, slots=True)
class Activity:
    """What goes on: all active runs, oldest first.

    `revision` is another number whenever a run was made, or what is known of a runbook's last run
    has changed.
    """

    active: tuple[ActiveRun, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first. `next_cursor` is None on the last page."""

    runs: tuple[Run, ...]
    next_cursor: str | None


class WorkerKind(StrEnum):
    LOCAL = "local"
    """The worker process beside the web processes."""
    CLI = "cli"
    """A one-shot `runbook execute`: runs its own run, takes nobody else's."""
    REMOTE = "remote"
    """A worker on another host."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that claims runs.

    `boot_id`, `pid` and `process_start` (clock ticks since boot, as in /proc/PID/stat) tell
    whether the very process still lives.
    """

    id: str
    kind: WorkerKind
    host: str
    boot_id: str
    pid: int
    process_start: int
    slots: int
    started_at: Millis
    beat_at: Millis
    draining: bool = False


@dataclass(frozen=True, slots=True)
class QueueStats:
    """`accepting`: a worker that takes others' runs has beaten lately and is not draining."""

    queued: int
    oldest_queued_at: Millis | None
    running: int
    waiting: int
    accepting: bool


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """`version` is that of the last migration. `bytes` counts a file's log, too.

    `kind` is `sqlite` or `postgresql`; `url` says which database it is, without its password.
    """

    version: str | None
    bytes: int
    kind: Literal["sqlite", "postgresql"]
    url: str


@dataclass(frozen=True, slots=True)
class LogSize:
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log, numbered from 1, without its newline.

    `at` and `step` are those of the line's beginning. `cut` is true where the line is longer
    than a reader should take in and `text` is only its beginning.
    """

    number: int
    at: Millis
    step: int | None
    stream: EventType
    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Asks for lines that hold a text, or match a pattern, whatever its case.

    All are counted; `limit` of them are given, those behind the first `skip`.
    """

    text: str
    is_pattern: bool = False
    skip: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class PurgeCounts:
    """How many rows went."""

    runs: int = 0
    events: int = 0
    documents: int = 0
    blobs: int = 0
    idempotency_keys: int = 0
    workers: int = 0


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which audit events are wanted. `target` is a run's id, a runbook's ref, a key's name."""

    subject: str | None = None
    action: str | None = None
    target: str | None = None
    since: Millis | None = None
    until: Millis | None = None


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Events, newest first. `next_cursor` is None on the last page."""

    events: tuple[AuditEvent, ...]
    next_cursor: int | None
