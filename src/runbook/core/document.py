"""What a runbook says, once parsed. Lines are counted from 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
"""How the messages begin that clients of the Stage0 runbook system compare as text."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a runbook or a request, and what to do about it.

    `code` is stable and part of the API; `message` keeps the wording of the contract. `params`
    holds what the message says of this one: `variable`, `step`, `run_id`, `limit` and the like.
    """

    code: str
    message: str
    line: int | None = None
    severity: Severity = Severity.ERROR
    hint: str | None = None
    params: Params = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        """One line for those who get no fields: old wordings stay as they were."""
        if self.line is None or self.message.startswith(OLD_WORDINGS):
            return self.message
        return f"{self.message} (line {self.line})"


UNCLASSIFIED = "unclassified"
"""The code of what an earlier version recorded as a text alone."""


def errors_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(problem for problem in problems if problem.severity is Severity.ERROR)


def warnings_of(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    return tuple(problem for problem in problems if problem.severity is Severity.WARNING)


def texts_of(problems: Iterable[Problem]) -> list[str]:
    return [problem.text for problem in problems]


def warning(code: str, message: str, **params: Param) -> Problem:
    """What a run says of itself, without a line."""
    return Problem(code, message, severity=Severity.WARNING, params=params)


class Language(StrEnum):
    """What runs a step. A fence marked `sh` is run by zsh."""

    ZSH = "zsh"
    BASH = "bash"
    PYTHON = "python"


class InputType(StrEnum):
    """The type of a declared input; `NAME: description` declares `text`."""

    TEXT = "text"
    """Any text, of one line or several."""
    STRING = "string"
    """One line of text."""
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    MULTICHOICE = "multichoice"
    """Several of the choices; the script gets them separated by commas."""
    SECRET = "secret"  # noqa: S105 - a type's name
    """Masked wherever it turns up, and never kept."""
    FILE = "file"
    """A file's content; the script gets its path."""
    DURATION = "duration"
    """A span of time such as `90s` or `1h30m`."""
    CIDR = "cidr"
    IP = "ip"
    HOSTNAME = "hostname"
    URL = "url"
    JSON = "json"


class SecretKind(StrEnum):
    """Where the server finds a secret by itself."""

    ENV = "env"
    """A variable of the server's environment, never one of its own settings."""
    FILE = "file"
    """A file below SECRETS_DIR."""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """What `from: env:NAME` or `from: file:NAME` says."""

    kind: SecretKind
    name: str


@dataclass(frozen=True, slots=True)
class ChoicesSource:
    """What `choices_from` says: the output of another runbook's last successful run."""

    ref: str
    output: str


@dataclass(frozen=True, slots=True)
class Input:
    """One declared environment variable.

    `typed` is false for the old form `NAME: description`, whose values are neither secret
    nor known to be harmless: they are recorded as given, not shown. `minimum` and `maximum` are
    kept as written: they bound a number, a duration, or the length of a text, by type.
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
    example: str | None = None
    source: SecretSource | None = None

    @property
    def secret(self) -> bool:
        return self.type is InputType.SECRET


@dataclass(frozen=True, slots=True)
class FileRequirement:
    """A path named under File System Requirements, as written."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Script:
    """What one process executes. `line` is the line of `source`'s first line in the document."""

    language: Language
    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried at most, and the seconds before the second try, which double.

    `codes` are the return codes after which it is tried again; None: all that are failures.
    """

    attempts: int = 1
    backoff_s: float = 0.0
    codes: frozenset[int] | None = None


class Operand(StrEnum):
    """What a condition looks at."""

    INPUT = "inputs"
    OUTPUT = "outputs"


@dataclass(frozen=True, slots=True)
class Condition:
    """`if: inputs.MODE == full`. `negated` says that it is `!=`.

    What has no value compares as an empty text.
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
    """One script of a run, and how it is run.

    `heading_line` is the line of the step's H2; None for a Script section without steps, whose
    single script is not announced as one. All `conditions` must hold, or the step is skipped.
    `continues` lets the run go on though the step failed. `undo` is the script that reverses it.
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
    """What a run does while another one holds its lock."""

    WAIT = "wait"
    FAIL = "fail"


class OnFailure(StrEnum):
    """What follows a step's failure."""

    STOP = "stop"
    UNDO = "undo"


DEFAULT_QUEUE = "default"
"""The queue of runs whose Policy names none."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the Policy section says about runs. Texts may name inputs: `device:${HOST}`.

    `confirm` is the text that a person must type; `dry_run` says that the script is honest when
    RUNBOOK_DRY_RUN is 1. `timeout_s` None means the server's.
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


NO_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Runbook:
    """A runbook that can be executed.

    `claims` maps a claim to its allowed values; None means that the runbook has no Required
    Claims section. Everything is in document order.
    """

    name: str
    description: str
    inputs: tuple[Input, ...]
    files_in: tuple[FileRequirement, ...]
    files_out: tuple[FileRequirement, ...]
    claims: Mapping[str, tuple[str, ...]] | None
    steps: tuple[Step, ...]
    policy: Policy = NO_POLICY

    def input(self, name: str) -> Input | None:
        return next((item for item in self.inputs if item.name == name), None)

    @property
    def stepped(self) -> bool:
        """Whether the script is divided into steps, which are announced and recorded."""
        return any(step.heading_line is not None for step in self.steps)


@dataclass(frozen=True, slots=True)
class Document:
    """The outcome of parsing: every problem, and the runbook where there is no error.

    `claims` is known (or None) even where the runbook is otherwise invalid; `claims_known` is
    false where the section stands there but cannot be understood: nobody may execute it then.
    `head_bytes` counts the bytes above the `# History` heading; `digest` is their SHA-256 in
    lower-case hex. Without a History section the head is the whole document.
    `history_bytes` is the offset of the first byte after the History heading's last line.
    """

    name: str
    runbook: Runbook | None
    problems: tuple[Problem, ...]
    digest: str
    head_bytes: int
    history_bytes: int | None
    claims: Mapping[str, tuple[str, ...]] | None = None
    claims_known: bool = True
    inputs: tuple[Input, ...] = field(default=())

    @property
    def errors(self) -> tuple[Problem, ...]:
        return errors_of(self.problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return warnings_of(self.problems)
