"""The content of a parsed runbook. Lines are counted from 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import StrEnum

from runbook.core.recovery.rule import Recovery
from runbook.quick_dataclass import dataclass


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


Param = str | int | float | bool | None
Params = Mapping[str, Param]

OLD_WORDINGS = (
    "Missing required section: ",
    "Section '",
    "Required environment variable not set: ",
    "Required input file does not exist: ",
    "Script section must contain a sh code block",
)
"""Prefixes of the messages that clients of the Stage0 runbook system compare as text."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with a runbook or a request, and how to fix it.

    `code` is stable and part of the API; some messages have a wording that clients rely on (see
    OLD_WORDINGS). `params` holds the values in the message: `variable`, `step`, `run_id`, `limit`
    and so on.
    """

    code: str
    message: str
    line: int | None = None
    severity: Severity = Severity.ERROR
    hint: str | None = None
    params: Params = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        """One line for callers that get no fields. Messages in OLD_WORDINGS stay unchanged."""
        if self.line is None or self.message.startswith(OLD_WORDINGS):
            return self.message
        return f"{self.message} (line {self.line})"


UNCLASSIFIED = "unclassified"
"""The code of a problem that an earlier version recorded as text only."""


def errors_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(problem for problem in problems if problem.severity is Severity.ERROR)


def warnings_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(problem for problem in problems if problem.severity is Severity.WARNING)


def texts_of(problems: Iterable[Problem]) -> list[str]:
    return [problem.text for problem in problems]


def warning(code: str, message: str, **params: Param) -> Problem:
    """A warning about a run, without a line number."""
    return Problem(code, message, severity=Severity.WARNING, params=params)


class Language(StrEnum):
    """The language of a step. A fence marked `sh` is run by zsh."""

    ZSH = "zsh"
    BASH = "bash"
    PYTHON = "python"


class InputType(StrEnum):
    """The type of a declared input; `NAME: description` declares `text`."""

    TEXT = "text"
    """Any text, on one or more lines."""
    STRING = "string"
    """One line of text."""
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    MULTICHOICE = "multichoice"
    """One or more of the choices; the script gets them separated by commas."""
    SECRET = "secret"  # noqa: S105 - a type's name
    """Masked wherever it appears, and never stored."""
    FILE = "file"
    """A file's content; the script gets its path."""
    DURATION = "duration"
    """A duration such as `90s` or `1h30m`."""
    CIDR = "cidr"
    IP = "ip"
    HOSTNAME = "hostname"
    URL = "url"
    JSON = "json"
    LIST = "list"
    """Rows of fields; the script gets a JSON array of objects."""
    CONNECTION = "connection"
    """The name of a connection; the script can read its values."""
    DEVICE = "device"
    """The name of a device; the script can read it, and the values of its connection."""
    DEVICES = "devices"
    """A selection of devices; the script gets a JSON array of their names."""


class SecretKind(StrEnum):
    """Where the server looks up a secret."""

    ENV = "env"
    """An environment variable of the server, except its own settings."""
    FILE = "file"
    """A file below SECRETS_DIR."""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """The value of `from`: `env:NAME` or `file:NAME`."""

    kind: SecretKind
    name: str


@dataclass(frozen=True, slots=True)
class ChoicesSource:
    """The value of `choices_from`: an output of another runbook's last successful run."""

    ref: str
    output: str


DEFAULT_TTL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LiveChoices:
    """The value of `choices_from` without an output: a runbook that is run for its choices.

    Its inputs get the values of `inputs`, which are names of inputs or of fields in the same row,
    and the texts in `values`. The choices are reused for `ttl_s`. With `strict`, there are no
    other valid values.
    """

    ref: str
    inputs: Mapping[str, str] = field(default_factory=dict, hash=False)
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    ttl_s: float = DEFAULT_TTL_SECONDS
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """One declared environment variable.

    `typed` is false for the short form `NAME: description`. Such values may be secrets: they are
    passed on unchecked and never shown. `minimum` and `maximum`, as written, limit a number,
    duration or text's length. `items` are a list's fields. Without all of `show_if`, it has no
    value. `kind` is a connection's or device's; `connections` hands over a selection's, too.
    """

    name: str
    description: str
    line: int
    type: InputType = InputType.TEXT
    typed: bool = False
    default: str | None = None
    optional: bool = False
    choices: tuple[str, ...] = ()
    choices_from: ChoicesSource | None = None
    pattern: str | None = None
    minimum: str | None = None
    maximum: str | None = None
    group: str | None = None
    label: str | None = None
    example: str | None = None
    source: SecretSource | None = None
    live: LiveChoices | None = None
    items: tuple[Input, ...] = ()
    show_if: tuple[Condition, ...] = ()
    kind: str | None = None
    vendor: str | None = None
    tag: str | None = None
    connections: bool = False

    @property
    def secret(self) -> bool:
        return self.type is InputType.SECRET

    def is_shown(self, values: Mapping[str, str]) -> bool:
        return all(condition.holds(values, {}) for condition in self.show_if)


@dataclass(frozen=True, slots=True)
class FileRequirement:
    """A path listed under File System Requirements, as written."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Script:
    """A script for one process. `line` is the document line where `source` starts."""

    language: Language
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Retry:
    """The maximum number of attempts, and the delay before the first retry, doubled each time.

    `codes` lists the return codes to retry on; None means every failure.
    """

    attempts: int = 1
    backoff_s: float = 0.0
    codes: frozenset[int] | None = None


class Operand(StrEnum):
    """What a condition reads."""

    INPUT = "inputs"
    OUTPUT = "outputs"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition such as `inputs.MODE == full`; `negated` if it uses `!=`.

    A missing value compares as empty text.
    """

    operand: Operand
    name: str
    value: str
    negated: bool = False

    def holds(self, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> bool:
        values = inputs if self.operand is Operand.INPUT else outputs
        return (values.get(self.name, "") == self.value) is not self.negated

    @property
    def text(self) -> str:
        sign = "!=" if self.negated else "=="
        return f"{self.operand}.{self.name} {sign} {self.value!r}"


@dataclass(frozen=True, slots=True)
class Step:
    """One script of a run, with its options.

    `heading_line` is the line of the step's H2; None if the Script section has no steps, in which
    case its single script isn't reported as a step. The step is skipped unless all `conditions`
    hold. If `continues` is set, a failure of the step doesn't stop the run. `undo` is the script
    that undoes it.
    """

    name: str
    language: Language
    source: str
    line: int
    heading_line: int | None = None
    conditions: tuple[Condition, ...] = ()
    timeout_s: float | None = None
    retry: Retry | None = None
    continues: bool = False
    undo: Script | None = None

    @property
    def script(self) -> Script:
        return Script(self.language, self.source, self.line)


class OnBusy(StrEnum):
    """What a run does if another run holds its lock."""

    WAIT = "wait"
    FAIL = "fail"


class OnFailure(StrEnum):
    """What to do after a step fails."""

    STOP = "stop"
    UNDO = "undo"


DEFAULT_QUEUE = "default"
"""The queue for runs whose Policy doesn't name one."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The Policy section. Texts may reference inputs: `device:${HOST}`.

    `confirm` is the text that a person must type. Without `timeout_s`, the server's applies. With
    `dry_run`, the script makes no changes if RUNBOOK_DRY_RUN is 1; with `provides_choices`, it can
    be run for the choices of an input; with `updates_inventory`, it may report devices.
    """

    timeout_s: float | None = None
    locks: tuple[str, ...] = ()
    on_busy: OnBusy = OnBusy.WAIT
    concurrency: int | None = None
    retry: Retry = field(default_factory=Retry)
    on_failure: OnFailure = OnFailure.STOP
    queue: str | None = None
    dry_run: bool = False
    confirm: str | None = None
    success_codes: frozenset[int] = frozenset({0})
    provides_choices: bool = False
    updates_inventory: bool = False
    recover: Recovery | None = None


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Runbook:
    """An executable runbook.

    `claims` maps each claim to its allowed values; None means that there is no Required Claims
    section. Everything is in document order.
    """

    name: str
    description: str
    inputs: tuple[Input, ...]
    files_in: tuple[FileRequirement, ...]
    files_out: tuple[FileRequirement, ...]
    claims: Mapping[str, tuple[str, ...]] | None
    steps: tuple[Step, ...]
    policy: Policy = NO_POLICY

    @property
    def stepped(self) -> bool:
        """Whether the script is divided into steps, which are reported and recorded."""
        return any(step.heading_line is not None for step in self.steps)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What the engine reads from YAML between `---` lines at the beginning of the file."""

    tags: tuple[str, ...] = ()
    owner: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The result of parsing: all problems, and the runbook if there are no errors.

    `claims` is set (or None) even if the runbook is invalid for other reasons; `claims_known` is
    false if the Required Claims section is invalid, which denies execution to everyone.
    `head_bytes` is the size of the part above the `# History` heading, `digest` its SHA-256 in
    lowercase hex. Without a History section, the head is the whole document. `history_bytes` is the
    offset of the first byte after the History heading's last line. `steps` are there even if the
    runbook is invalid, as far as they could be read.
    """

    name: str
    runbook: Runbook | None
    problems: tuple[Problem, ...]
    digest: str
    head_bytes: int
    history_bytes: int | None
    claims: Mapping[str, tuple[str, ...]] | None = None
    claims_known: bool = True
    inputs: tuple[Input, ...] = ()
    steps: tuple[Step, ...] = ()
    front: FrontMatter = FrontMatter()

    @property
    def is_documentation(self) -> bool:
        """Whether it is a README, which is not meant to be a runbook."""
        return any(problem.code == "not_a_runbook" for problem in self.problems)

    @property
    def errors(self) -> tuple[Problem, ...]:
        return errors_of(self.problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return warnings_of(self.problems)
