"""A run: one execution of one runbook, and its recorded data.

Times are whole milliseconds since the epoch, UTC (`Millis`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from runbook.core.claims import roles_of
from runbook.core.document import Problem
from runbook.core.outcome import Outcome, PlanLabel
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.core.toolkit import ToolkitVersion
from runbook.core.waiting import WaitReason
from runbook.quick_dataclass import dataclass


class Origin(StrEnum):
    """How a run was requested."""

    API = "api"
    CLI = "cli"
    SCHEDULE = "schedule"
    WEBHOOK = "webhook"
    RUNBOOK = "runbook"


class Purpose(StrEnum):
    """What a run is for, if it is not for itself. Lists of runs leave it out unless asked for."""

    CHOICES = "choices"
    """For the choices of an input, while a form is filled in."""


@dataclass(frozen=True, slots=True)
class Requester:
    """Who requested a run, as stored with it; the token itself is never stored."""

    subject: str
    origin: Origin
    claims: Mapping[str, object] = field(default_factory=dict)
    address: str | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        return roles_of(self.claims)


class Relation(StrEnum):
    """How a run relates to an earlier one."""

    RETRY = "retry"
    """The same inputs, from the start."""
    RESUME = "resume"
    """Resumes after the steps that the earlier run completed."""
    UNDO = "undo"
    """Undoes the steps that the earlier run completed."""
    RECOVERY = "recovery"
    """Ends what the earlier run may have left half done, by another runbook."""


@dataclass(frozen=True, slots=True)
class LockWant:
    """A lock that a run needs, held by at most `capacity` runs at once."""

    name: str
    capacity: int = 1


@dataclass(frozen=True, slots=True)
class LockRequest:
    """All locks that a run needs, acquired together or not at all.

    If `waits` is false, the run fails when one of them is held.
    """

    wants: tuple[LockWant, ...]
    waits: bool = True


@dataclass(frozen=True, slots=True)
class RunbookVersion:
    """The runbook version that a run executes. `digest` is the digest of the document's bytes.

    `toolkit` is the installed toolkit that the runbook belongs to, if any.
    """

    ref: str
    name: str
    digest: str
    toolkit: ToolkitVersion | None = None


@dataclass(frozen=True, slots=True)
class RunTree:
    """A run's position in its call tree.

    `chain` lists the refs from the outermost runbook to this run's own, inclusive. `parent_id` and
    `root_id` are None for a run that no other run called.
    """

    chain: tuple[str, ...]
    parent_id: str | None = None
    root_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The parameters of a run.

    `inputs` maps each input to its value if its type may be shown, else to None. `given` names the
    inputs that the request set.
    """

    reason: str | None = None
    timeout_s: float = 600.0
    inputs: Mapping[str, str | None] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    dry_run: bool = False
    queue: str | None = None
    locks: LockRequest | None = None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True)
class RunTimes:
    """`duration_ms` is the execution time, or the time since creation if the run never started."""

    created_at: Millis
    started_at: Millis | None = None
    finished_at: Millis | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run. Before it finishes, only `warnings` can be set.

    `label` is set for dry runs only.
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
    """The size of a run's log in UTF-8 bytes and lines, and the `n` of its last event."""

    bytes: int = 0
    lines: int = 0
    last_event: int = 0


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """The first request to cancel a run."""

    at: Millis
    by: str


@dataclass(frozen=True, slots=True)
class RerunOf:
    """The earlier run that this run retries, resumes, undoes or recovers.

    `start_step` is the first step, counted from 1, that a resumed run executes.
    """

    relation: Relation
    run_id: str
    start_step: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of one runbook, as stored.

    `seq` orders runs by creation; it is 0 for a run that isn't stored. `damage` names the parts of
    the stored record that couldn't be read and have replacements here.
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
    damage: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        return self.runbook.ref

    @property
    def success(self) -> bool:
        return self.status is RunStatus.SUCCEEDED

    @property
    def is_root(self) -> bool:
        """Whether this run was not called by another run."""
        return self.tree.parent_id is None

    @property
    def tree_id(self) -> str:
        """The ID of the run at the root of the call tree, possibly this run."""
        return self.tree.root_id or self.id

    @property
    def relation(self) -> Relation | None:
        return None if self.rerun_of is None else self.rerun_of.relation

    @property
    def related_id(self) -> str | None:
        return None if self.rerun_of is None else self.rerun_of.run_id

    def elapsed_ms(self, at: Millis) -> int:
        """The duration until `at` by clocks that may have jumped: at most the run's time limit.

        For runs whose duration was not measured because their worker died.
        """
        if self.times.started_at is None:
            return max(0, at - self.times.created_at)
        return int(min(max(0, at - self.times.started_at), self.request.timeout_s * 1000))
