"""A run: one attempt to execute one runbook, and what is known of it.

Times are whole milliseconds since the epoch, UTC (`Millis`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.core.document import Problem
from runbook.core.outcome import Outcome, PlanLabel
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.core.waiting import WaitReason


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
class RunbookVersion:
    """What a run executes. `digest` is that of the document's bytes."""

    ref: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class RunTree:
    """Where a run stands among the runs that call each other.

    `chain` is the list of refs from the outermost runbook to the run's own, which is included.
    `parent_id` and `root_id` are None for a run that no other run called.
    """

    chain: tuple[str, ...]
    parent_id: str | None = None
    root_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What was asked for.

    `inputs` maps each input to its value where its type says that it may be shown, and to None
    where it is only known to have a value. `given` names those that the request gave.
    """

    reason: str | None = None
    timeout_s: float = 600.0
    inputs: Mapping[str, str | None] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    dry_run: bool = False
    queue: str | None = None
    locks: LockRequest | None = None


@dataclass(frozen=True, slots=True)
class RunTimes:
    """`duration_ms` is how long it ran; from its making on where it never started."""

    created_at: Millis
    started_at: Millis | None = None
    finished_at: Millis | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """What came of a run. Until it has ended, only `warnings` may hold something.

    `label` is of dry runs only.
    """

    return_code: int | None = None
    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    outputs: Mapping[str, object] = field(default_factory=dict)
    label: PlanLabel | None = None

    @classmethod
    def of(cls, outcome: Outcome) -> RunResult:
        return cls(
            outcome.return_code,
            outcome.errors,
            outcome.warnings,
            dict(outcome.outputs),
            outcome.label,
        )


@dataclass(frozen=True, slots=True)
class RunLog:
    """How far a run's log and its events have come: bytes of UTF-8, lines, the last event's `n`."""

    bytes: int = 0
    lines: int = 0
    last_event: int = 0


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The first wish for a run's end."""

    at: Millis
    by: str


@dataclass(frozen=True, slots=True)
class RerunOf:
    """The earlier run that a run follows from, and how.

    `start_step` is the first step, from 1, that a resumed run executes.
    """

    relation: Relation
    run_id: str
    start_step: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to execute one runbook, as the store knows it.

    `seq` orders runs by their making; it is 0 for a run that the store does not know.
    """

    id: str
    runbook: RunbookVersion
    status: RunStatus
    requester: Requester
    correlation_id: str
    tree: RunTree
    times: RunTimes
    seq: int = 0
    request: RunRequest = RunRequest()
    result: RunResult = RunResult()
    log: RunLog = RunLog()
    worker_id: str | None = None
    cancel: CancelRequest | None = None
    rerun_of: RerunOf | None = None
    waiting: WaitReason | None = None

    @property
    def ref(self) -> str:
        return self.runbook.ref

    @property
    def success(self) -> bool:
        return self.status is RunStatus.SUCCEEDED

    @property
    def is_root(self) -> bool:
        """Whether no other run called it."""
        return self.tree.parent_id is None

    @property
    def tree_id(self) -> str:
        """The id of the run at the root of its tree: its own where no other run called it."""
        return self.tree.root_id or self.id

    @property
    def relation(self) -> Relation | None:
        return None if self.rerun_of is None else self.rerun_of.relation

    @property
    def related_id(self) -> str | None:
        return None if self.rerun_of is None else self.rerun_of.run_id
