"""A run: one attempt to execute one runbook; its statuses, transitions and events.

Times are whole milliseconds since the epoch, UTC (`Millis`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from runbook.core.document import Problem

Millis = int


def iso(at: Millis) -> str:
    """ISO 8601 with milliseconds and `Z`, as in history entries and the API."""
    moment = datetime.fromtimestamp(at / 1000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


class RunStatus(StrEnum):
    QUEUED = "queued"
    """Accepted; waits for a slot of a worker."""
    WAITING = "waiting"
    """Waits for a lock that another run holds."""
    RUNNING = "running"
    """A worker has claimed it and executes it."""
    SUCCEEDED = "succeeded"
    """The script returned 0."""
    FAILED = "failed"
    """The script returned something else, or could not be started."""
    TIMED_OUT = "timed_out"
    """The script ran longer than it may and was killed."""
    CANCELLED = "cancelled"
    """Someone asked for its end."""
    INTERRUPTED = "interrupted"
    """Its engine was drained before the script ended."""
    LOST = "lost"
    """Its worker died; what the script did is not known."""
    REFUSED = "refused"
    """The caller's claims did not allow it; nothing was started."""
    INVALID = "invalid"
    """The runbook or the request was not valid; nothing was started."""

    @property
    def terminal(self) -> bool:
        return not TRANSITIONS[self]


_ENDINGS = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.FAILED,
        RunStatus.TIMED_OUT,
        RunStatus.CANCELLED,
        RunStatus.INTERRUPTED,
        RunStatus.LOST,
    }
)
_BEFORE_START = frozenset({RunStatus.CANCELLED, RunStatus.INTERRUPTED, RunStatus.LOST})

TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: frozenset({RunStatus.WAITING, RunStatus.RUNNING}) | _BEFORE_START,
    RunStatus.WAITING: frozenset({RunStatus.QUEUED, RunStatus.RUNNING}) | _BEFORE_START,
    RunStatus.RUNNING: _ENDINGS,
    **{status: frozenset() for status in _ENDINGS | {RunStatus.REFUSED, RunStatus.INVALID}},
}

ACTIVE = frozenset(status for status, following in TRANSITIONS.items() if following)
TERMINAL = frozenset(TRANSITIONS) - ACTIVE


class EventType(StrEnum):
    QUEUED = "queued"
    WAITING = "waiting"
    STARTED = "started"
    STEP = "step"
    STDOUT = "stdout"
    STDERR = "stderr"
    PROGRESS = "progress"
    PLAN = "plan"
    CHILD = "child"
    NOTICE = "notice"
    DONE = "done"

    @property
    def is_output(self) -> bool:
        return self in (EventType.STDOUT, EventType.STDERR)


@dataclass(frozen=True, slots=True)
class RunEvent:
    """What happened in a run. `n` counts from 1 without gaps.

    Output events carry `text`; all others carry `data`. `line` and `offset` say where an output
    event's text begins in the run's log (see `core/output/log_text.py`): the number of the line
    that its first character belongs to, from 1, and the byte offset in UTF-8.
    """

    n: int
    at: Millis
    type: EventType
    text: str | None = None
    data: Mapping[str, object] | None = None
    step: int | None = None
    line: int | None = None
    offset: int | None = None

    def as_json(self) -> dict[str, object]:
        """The form of `/api/runs/{id}/events` and of `--json`."""
        value: dict[str, object] = {"n": self.n, "at": iso(self.at), "type": self.type.value}
        if self.step is not None:
            value["step"] = self.step
        if self.type.is_output:
            value["stream"] = self.type.value
            value["text"] = self.text or ""
            value["line"] = self.line
        return value | dict(self.data or {})


class Origin(StrEnum):
    """By which way a run was asked for."""

    API = "api"
    CLI = "cli"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    RUNBOOK = "runbook"


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asked for a run, as kept with it: never the token itself."""

    subject: str
    origin: Origin
    claims: Mapping[str, object] = field(default_factory=dict)
    address: str | None = None

    @property
    def roles(self) -> list[str]:
        roles = self.claims.get("roles", [])
        if isinstance(roles, str):
            return [role.strip() for role in roles.split(",") if role.strip()]
        return [str(role) for role in roles] if isinstance(roles, list) else []


class Relation(StrEnum):
    """How a run follows from an earlier one."""

    RETRY = "retry"
    """The same inputs, from the start."""
    RESUME = "resume"
    """Goes on behind the steps that the earlier run completed."""
    UNDO = "undo"
    """Reverses the steps that the earlier run completed."""


class PlanLabel(StrEnum):
    """How far a planned change, or a whole dry run, can be believed."""

    VERIFIED = "verified"
    """What would change was found out by reading."""
    ASSUMED = "assumed"
    """It follows from what was asked for, but nothing was read."""
    UNKNOWN = "unknown"
    """Nobody said."""


class StepStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    SKIPPED = "skipped"
    """Its condition did not hold."""
    RESTORED = "restored"
    """Completed by the run that this one resumes."""

    @property
    def completed(self) -> bool:
        """Whether its script did all that it does."""
        return self in (StepStatus.SUCCEEDED, StepStatus.RESTORED)


@dataclass(frozen=True, slots=True)
class StepRun:
    """What became of one step in one run. `n` counts from 1, in the order of the document.

    `first_line` and `last_line` are the span of the log's lines that it printed; `last_line` is
    the smaller one where it printed nothing. `env` and `outputs` are what it handed over; a value
    that may not be kept, because a secret stands in it, is None.
    """

    n: int
    name: str
    status: StepStatus
    started_at: Millis
    finished_at: Millis | None = None
    return_code: int | None = None
    attempts: int = 1
    first_line: int = 1
    last_line: int = 0
    env: Mapping[str, str | None] = field(default_factory=dict)
    outputs: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LockWant:
    """A lock that a run needs; at most `capacity` runs hold it at once."""

    name: str
    capacity: int = 1


@dataclass(frozen=True, slots=True)
class LockRequest:
    """All locks that a run needs, taken together or not at all.

    `waits` says whether the run waits for them, or fails where one is held.
    """

    wants: tuple[LockWant, ...]
    waits: bool = True


@dataclass(frozen=True, slots=True)
class Holder:
    """Why a run waits: `lock` is held by the run `run_id` of `ref`, started by `by`, since then."""

    lock: str
    run_id: str
    ref: str
    by: str
    since: Millis


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a run left to be kept. `name` is its path below the run's folder."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. `return_code` follows the table of return codes in docs/runs.md.

    `label` is of dry runs only. `summary` is Markdown. `steps` are those that the store does not
    know yet as they are.
    """

    status: RunStatus
    return_code: int
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    outputs: Mapping[str, object] = field(default_factory=dict)
    label: PlanLabel | None = None
    summary: str | None = None
    artifacts: tuple[Artifact, ...] = ()
    steps: tuple[StepRun, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to execute one runbook, as the store knows it.

    `chain` is the list of refs from the outermost runbook to this one, this one included.
    `inputs` maps each given input to its value where its type says that it may be shown, and
    to None where it is only known to have been given. `given` names those that the request gave.
    `relation` and `related_id` say which earlier run this one follows from; `start_step` is the
    first step, from 1, that a resumed run executes.
    """

    id: str
    ref: str
    name: str
    digest: str
    status: RunStatus
    requester: Requester
    correlation_id: str
    chain: tuple[str, ...]
    created_at: Millis
    seq: int = 0
    parent_id: str | None = None
    root_id: str | None = None
    reason: str | None = None
    timeout_s: float = 600.0
    inputs: Mapping[str, str | None] = field(default_factory=dict)
    started_at: Millis | None = None
    finished_at: Millis | None = None
    duration_ms: int | None = None
    return_code: int | None = None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    outputs: Mapping[str, object] = field(default_factory=dict)
    worker_id: str | None = None
    cancel_at: Millis | None = None
    cancel_by: str | None = None
    log_bytes: int = 0
    log_lines: int = 0
    last_event: int = 0
    dry_run: bool = False
    label: PlanLabel | None = None
    relation: Relation | None = None
    related_id: str | None = None
    start_step: int | None = None
    queue: str | None = None
    given: tuple[str, ...] = ()
    locks: LockRequest | None = None
    waiting: Holder | None = None

    @property
    def success(self) -> bool:
        return self.status is RunStatus.SUCCEEDED
