"""What the API answers, for its document. Tests hold real answers against these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from runbook.api.server_schemas import Config, Login, PublicInfo, Schema, Status
from runbook.core.document import (
    InputType,
    Language,
    OnBusy,
    OnFailure,
    SecretKind,
    Severity,
)
from runbook.core.events import EventType
from runbook.core.outcome import PlanLabel
from runbook.core.run import Origin, Relation
from runbook.core.status import RunStatus, StepStatus


class ProblemItem(Schema):
    code: str
    message: str
    severity: Severity
    line: int | None = Field(None, description="Line of the document, from 1")
    hint: str | None = None


class LastRun(Schema):
    id: str | None
    status: RunStatus | None
    finished_at: str | None
    by: str | None
    last_success_at: str | None


class LineMatch(Schema):
    line: int = Field(description="Its number in the document, from 1")
    text: str = Field(description="The line, of a long one 200 characters around what was sought")


class Requirement(Schema):
    claim: str
    wanted: list[str] = Field(description="One of these is needed")
    given: list[str] | None = Field(
        description="What the token has; null where it has no such claim"
    )


class ListedRunbook(Schema):
    filename: str
    name: str
    path: str
    valid: bool
    executable: bool = Field(description="By this token")
    missing_claims: list[str]
    requirements: list[Requirement] = Field(description="The missing claims, for programs")
    description: str = Field(description="Its first paragraph as plain text, cut")
    steps: int = Field(description="How many; 0 where it is not valid")
    dry_run: bool = Field(description="Whether the script supports dry runs")
    last_run: LastRun | None
    match: LineMatch | None = Field(
        None, description="With `q`: the first line above History that holds it"
    )


class RunbookList(Schema):
    success: Literal[True]
    runbooks: list[ListedRunbook]


class OtherOutput(Schema):
    runbook: str
    output: str


class InputItem(Schema):
    name: str
    description: str
    type: InputType
    typed: bool
    default: str | None
    optional: bool
    choices: list[str]
    choices_from: OtherOutput | None = Field(description="Whose last output the choices are")
    pattern: str | None = Field(description="Regular expression for the whole value")
    min: str | None
    max: str | None
    group: str | None
    example: str | None
    from_: SecretKind | None = Field(alias="from", description="Where the server finds the secret")
    line: int


class RetryItem(Schema):
    attempts: int = Field(description="Tries at most, the first one included")
    backoff_seconds: float = Field(description="Pause before the second try; it doubles")
    on: list[int] | None = Field(description="Return codes after which it is tried again")


class StepItem(Schema):
    name: str
    language: Language
    line: int
    heading_line: int | None
    conditions: list[str] = Field(description="All must hold, or the step is skipped")
    timeout_seconds: float | None
    retry: RetryItem | None
    continue_: bool = Field(alias="continue")
    reversible: bool = Field(description="Whether the step has an Undo")


class PolicyItem(Schema):
    timeout_seconds: float | None
    locks: list[str]
    on_busy: OnBusy
    concurrency: int | None
    retry: RetryItem
    on_failure: OnFailure
    queue: str | None
    dry_run: bool = Field(description="Whether the script supports dry runs")
    confirm: str | None = Field(description="Text that a person must type")
    success_codes: list[int]


class RunbookContent(Schema):
    success: Literal[True]
    filename: str
    name: str
    content: str
    valid: bool
    executable: bool
    missing_claims: list[str]
    requirements: list[Requirement] = Field(description="The missing claims, for programs")
    digest: str = Field(description="SHA-256 of the bytes above # History")
    description: str
    inputs: list[InputItem]
    claims: dict[str, list[str]] | None
    steps: list[StepItem]
    policy: PolicyItem | None
    problems: list[ProblemItem]


class NamedInput(Schema):
    name: str
    description: str


class RequiredEnv(Schema):
    success: Literal[True]
    filename: str
    required: list[NamedInput]
    available: list[NamedInput]
    missing: list[NamedInput]


class InputSchema(Schema):
    """A JSON Schema (2020-12) of the inputs: what `env_vars` may hold."""

    schema_: str = Field(alias="$schema")
    id_: str = Field(alias="$id")
    title: str
    type: Literal["object"]
    properties: dict[str, dict[str, Any]]
    required: list[str]
    additionalProperties: Literal[False]  # noqa: N815 - a word of JSON Schema


class HistoryHead(Schema):
    n: int = Field(description="Its number in the chain, from 1")
    at: str = Field(description="When the run ended, or was refused")
    run_id: str
    status: RunStatus
    return_code: int
    who: str
    roles: list[str]
    origin: Origin
    duration_ms: int
    reason: str | None
    dry_run: bool
    relation: Relation | None
    related_id: str | None
    known: bool = Field(description="Whether the run itself is still kept")
    intact: bool = Field(description="Whether its bytes are those that were written")


class HistoryEntry(HistoryHead):
    """One entry of a history with its texts."""

    document: str = Field(description="Digest of what was executed")
    stdout: str
    stderr: str
    error: str


class LegacyEntry(Schema):
    """An entry of the older engine."""

    n: None
    at: str
    run_id: None
    return_code: int
    stdout: str = Field(description="At most 64 KiB; so are the others")
    stderr: str
    error: str


class HistoryPage(Schema):
    entries: list[HistoryHead]
    next_before: int | None = Field(description="Leads to the next page; null on the last")
    legacy: list[LegacyEntry] = Field(description="Of the older engine, below the entries")


class Report(Schema):
    success: bool
    runbook: str
    errors: list[str]
    warnings: list[str]
    problems: list[ProblemItem]


class Done(Schema):
    """The last event of an execution, and its reply as JSON."""

    success: bool
    runbook: str
    return_code: int
    stdout: str
    stderr: str
    errors: list[str]
    warnings: list[str]
    run_id: str
    status: RunStatus
    outputs: dict[str, Any]


class LockHolder(Schema):
    lock: str
    run_id: str
    runbook: str
    by: str
    since: str


class Run(Schema):
    id: str
    runbook: str
    name: str
    status: RunStatus
    success: bool
    return_code: int | None
    digest: str
    by: str
    origin: Origin
    roles: list[str]
    address: str | None
    reason: str | None
    correlation_id: str
    chain: list[str]
    parent_id: str | None
    root_id: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    duration_ms: int | None
    timeout_seconds: float
    inputs: dict[str, dict[str, Any]]
    errors: list[str]
    warnings: list[str]
    outputs: dict[str, Any]
    cancel_requested_by: str | None
    log_bytes: int
    log_lines: int
    last_event: int
    dry_run: bool
    label: PlanLabel | None
    relation: Relation | None
    related_id: str | None = Field(description="The run that this one follows from")
    start_step: int | None
    queue: str | None
    locks: list[str]
    waiting: LockHolder | None


class StepRun(Schema):
    n: int
    name: str
    status: StepStatus
    started_at: str
    finished_at: str | None
    return_code: int | None
    attempts: int
    first_line: int = Field(description="Its first line of the log, from 1")
    last_line: int


class Relative(Schema):
    id: str
    runbook: str
    name: str
    status: RunStatus


class Follower(Relative):
    relation: Relation


class Artifact(Schema):
    name: str
    size: int
    sha256: str


class ArtifactList(Schema):
    artifacts: list[Artifact]


class ChildRun(Run):
    children: list[ChildRun]


class WholeRun(ChildRun):
    """A run with all that belongs to it."""

    steps: list[StepRun]
    summary: str | None = Field(description="Markdown")
    artifacts: list[Artifact]
    parent: Relative | None = Field(description="The run that called it, if you may see that one")
    related: Relative | None = Field(description="What it follows from, if you may see that one")
    followers: list[Follower] = Field(description="At most the latest 100")


class RunDocument(Schema):
    """What a run executed."""

    digest: str
    content: str = Field(description="The text above # History")
    changed: bool = Field(description="Whether the runbook is another one now, or gone")
    current_digest: str | None = Field(description="Of the runbook now; null where it is gone")


class NumberedStep(Schema):
    n: int = Field(description="Its number in the document that ran, from 1")
    name: str


class Undoing(Schema):
    """What an undo would do."""

    steps: list[NumberedStep] = Field(description="To be reversed, in that order: the last first")
    left: list[NumberedStep] = Field(description="Completed steps that have no Undo")


class RunPage(Schema):
    runs: list[Run]
    next_cursor: str | None


class Event(Schema):
    n: int = Field(description="From 1, without gaps")
    at: str
    type: EventType
    step: int | None = None
    stream: Literal["stdout", "stderr"] | None = None
    text: str | None = None
    line: int | None = None


class ListedActive(Schema):
    id: str
    runbook: str
    status: RunStatus
    by: str
    created_at: str
    started_at: str | None
    waiting: LockHolder | None


class Changes(Schema):
    """What goes on now."""

    active: list[ListedActive] = Field(description="Runs that have not ended, oldest first")
    revision: int = Field(description="Another one whenever a run was made or has ended")


class Problem(Schema):
    """RFC 9457, with `success` and `error` for old clients."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[Any]
    success: Literal[False]
    error: str
    runbook: str | None = None


__all__ = ["MODELS", "Config", "Login", "PublicInfo", "Schema", "Status"]

MODELS: dict[str, type[Schema]] = {
    model.__name__: model
    for model in (
        RunbookList,
        RunbookContent,
        RequiredEnv,
        InputSchema,
        HistoryPage,
        HistoryEntry,
        Report,
        Done,
        Run,
        WholeRun,
        ArtifactList,
        RunPage,
        RunDocument,
        Undoing,
        Event,
        Changes,
        Login,
        Config,
        Status,
        PublicInfo,
        Problem,
    )
}
