"""Input and output types of the store, besides `Run` and `RunEvent`.

Times are `Millis`: whole milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Literal, Self

from runbook.core.audit import AuditEvent
from runbook.core.environ import valid_name
from runbook.core.events import EventType
from runbook.core.run import (
    Purpose,
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
from runbook.core.waiting import WaitReason
from runbook.errors import DamagedRecordError
from runbook.quick_dataclass import dataclass


class UnclaimableRunError(DamagedRecordError):
    """A damaged record keeps this run from being claimed."""

    def __init__(self, run: Run, reason: str) -> None:
        super().__init__(reason)
        self.run = run


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The authorized content of a runbook, stored by digest."""

    digest: str
    content: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A caller's idempotency key.

    `request_digest` is the digest of the request, to detect a different request with the same key.
    """

    caller: str
    key: str
    request_digest: str


@dataclass(frozen=True, slots=True)
class RerunClaim:
    """What must still hold when a run that resumes or undoes run `run_id` is created.

    `seen` are the reruns that the decision took into account: any other one came first. `ended` is
    whether the earlier run has ended; its automatic undo is created before that.
    """

    run_id: str
    seen: frozenset[str]
    ended: bool = True


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event without a number.

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
    """A new run: queued, running (claimed at once), refused or invalid.

    `assigned_to` is the only worker that may claim it; a run created as running belongs to it.
    `sealed_inputs` are the encrypted values; `request.inputs` holds only those that may be shown.
    `devices` are those that it is for, by input. `result` is for runs created as finished.
    `created_at` and `finished_at` default to the store's clock.
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
    rerun_claim: RerunClaim | None = None
    devices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        return self.runbook.ref

    @property
    def relation(self) -> Relation | None:
        return None if self.rerun_of is None else self.rerun_of.relation


@dataclass(frozen=True, slots=True)
class Created:
    """`replayed` is true if an earlier request with the same key created the run."""

    run: Run
    replayed: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that the caller now owns, with everything needed to execute it.

    `busy` is the holder of a lock, if the run doesn't wait for it or would deadlock. The run is
    then only finished. `head` is the last known entry of the runbook's history.
    """

    run: Run
    sealed_inputs: bytes | None
    document: StoredDocument
    busy: WaitReason | None = None
    head: HistoryHead | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished run, the number of waiting runs that can now proceed, and its active children."""

    run: Run
    going_on: int
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryHead:
    """The end of a runbook's history chain: the last entry's number and digest."""

    n: int
    digest: str


@dataclass(frozen=True, slots=True)
class LastRun:
    """A runbook's latest result. `revision` increases with every change of any row."""

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
    """The rows changed since a revision, and the revision to pass next time."""

    rows: tuple[LastRun, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class Visibility:
    """The runs a caller may see: those of `refs`, and those that `subject` requested."""

    refs: frozenset[str] = frozenset()
    subject: str | None = None
    everything: bool = False


EVERYTHING = Visibility(everything=True)


@dataclass(frozen=True, slots=True)
class InputMatch:
    """Matches a run by a stored input: one that has this value.

    Without `name`, any input whose value contains the text, ignoring case.
    """

    value: str
    name: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """From `NAME=value`, or from any other text."""
        name, equals, value = text.partition("=")
        return cls(value, name) if equals and valid_name(name) else cls(text)

    def fits(self, inputs: Mapping[str, str | None]) -> bool:
        if self.name is not None:
            return inputs.get(self.name) == self.value
        sought = self.value.casefold()
        return any(value and sought in value.casefold() for value in inputs.values())


@dataclass(frozen=True, slots=True)
class RunFilter:
    """A filter for runs; fields that are None or empty are ignored.

    `since` is inclusive, `until` exclusive; both apply to `created_at`. `active` is whether the run
    is unfinished. `text` is searched in ref and name, with 3 characters or more in the reason, and
    with 8 or more at both ends of the ID, ignoring case. All of `inputs` must match; there is no
    index for them: see `page_by_inputs`. `device` is one that they were for. Without `purpose`,
    runs that have one are left out, unless `ids`, `root_id` or `parent_id` names them.
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
    purpose: Purpose | None = None
    dry_run: bool | None = None
    active: bool | None = None
    inputs: tuple[InputMatch, ...] = ()
    device: str | None = None


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """The fields of an active run that live lists show."""

    id: str
    ref: str
    status: RunStatus
    by: str
    created_at: Millis
    started_at: Millis | None
    root_id: str | None
    waiting: WaitReason | None


@dataclass(frozen=True, slots=True)
class Activity:
    """All active runs, oldest first.

    `revision` changes whenever a run is created or a runbook's last run changes.
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
    """A one-shot `runbook execute`, which only executes its own run."""
    REMOTE = "remote"
    """A worker on another host."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that claims runs.

    `boot_id`, `pid` and `process_start` (clock ticks since boot, as in /proc/PID/stat) identify the
    process, to detect whether it is still alive.
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
    """`accepting`: a shared worker has sent a heartbeat recently and is not draining."""

    queued: int
    oldest_queued_at: Millis | None
    running: int
    waiting: int
    accepting: bool


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """`version` is that of the last migration. `bytes` counts a file's log, too.

    `kind` is `sqlite` or `postgresql`.
    """

    version: str | None
    bytes: int
    kind: Literal["sqlite", "postgresql"]


@dataclass(frozen=True, slots=True)
class LogSize:
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log, numbered from 1, without its newline.

    `at` and `step` are those of the line's start. If `cut` is true, `text` is only the start of a
    very long line.
    """

    number: int
    at: Millis
    step: int | None
    stream: EventType
    text: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A search for lines that contain a text or match a pattern, ignoring case.

    All matches are counted; `limit` of them are returned, after the first `skip`.
    """

    text: str
    is_pattern: bool = False
    skip: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class PurgeCounts:
    """The number of deleted rows."""

    runs: int = 0
    events: int = 0
    documents: int = 0
    blobs: int = 0
    idempotency_keys: int = 0
    workers: int = 0


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """A filter for audit events. `target` is a run's ID, a runbook's ref or a key's name."""

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
