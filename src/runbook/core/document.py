"""What a runbook says, once parsed. Lines are counted from 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


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

    `code` is stable and part of the API; `message` keeps the wording of the contract.
    """

    code: str
    message: str
    line: int | None = None
    severity: Severity = Severity.ERROR
    hint: str | None = None

    @property
    def text(self) -> str:
        """One line for those who get no fields: old wordings stay as they were."""
        if self.line is None or self.message.startswith(OLD_WORDINGS):
            return self.message
        return f"{self.message} (line {self.line})"


class Language(StrEnum):
    """What runs a step. A fence marked `sh` is run by zsh."""

    ZSH = "zsh"
    BASH = "bash"
    PYTHON = "python"


class InputType(StrEnum):
    """The type of a declared input; `NAME: description` declares `text`."""

    TEXT = "text"
    STRING = "string"
    SECRET = "secret"  # noqa: S105 - a type's name


@dataclass(frozen=True, slots=True)
class Input:
    """One declared environment variable.

    `typed` is false for the old form `NAME: description`, whose values are neither secret
    nor known to be harmless: they are recorded as given, not shown.
    """

    name: str
    description: str
    line: int
    type: InputType = InputType.TEXT
    typed: bool = False
    default: str | None = None
    optional: bool = False

    @property
    def secret(self) -> bool:
        return self.type is InputType.SECRET


@dataclass(frozen=True, slots=True)
class FileRequirement:
    """A path named under File System Requirements, as written."""

    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """One script of a run. `line` is the line of `source`'s first line in the document."""

    name: str
    language: Language
    source: str
    line: int


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

    def input(self, name: str) -> Input | None:
        return next((item for item in self.inputs if item.name == name), None)


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
        return tuple(p for p in self.problems if p.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.problems if p.severity is Severity.WARNING)
