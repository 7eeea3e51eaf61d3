"""Parses the files that a script writes for the engine: values, progress, plans, masks.

Values have two forms, as in GitHub Actions workflow files: `NAME=value` on one line, or
`NAME<<WORD`, any lines, and a line with only WORD. Lines may end with CRLF; after `NAME<<WORD` with
LF, CRs belong to the value. A script's output is never interpreted as commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field

from runbook.core.environ import check_value, is_reserved, valid_name
from runbook.core.outcome import PlanLabel
from runbook.quick_dataclass import dataclass
from runbook.script.limits import LINE_BYTES, OUTPUT_NAME

HANDOVER_BYTES = 1024 * 1024
"""Maximum size of a file read after each step."""

# The text isn't quoted: it may be the second line of a secret.
NO_NAME = "the text before = or << is not a valid name"

_PROGRESS = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*%?(?:\s+(.*))?", re.DOTALL)
_PLAN = re.compile(r"(verified|assumed|unknown):\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Assignments:
    """The values that a file assigns; `problem` says why it is invalid, if so."""

    values: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


def read_env(data: bytes) -> Assignments:
    """Parse RUNBOOK_ENV: variables for the following steps."""
    return _read(data, "RUNBOOK_ENV", _env_problem)


def read_outputs(data: bytes) -> Assignments:
    """Parse RUNBOOK_OUTPUT: outputs of the run."""
    return _read(data, "RUNBOOK_OUTPUT", _output_problem)


def _env_problem(name: str) -> str | None:
    if not valid_name(name):
        return NO_NAME
    if is_reserved(name):
        return f"{name} is reserved: it affects how programs run or is used by the engine"
    return None


def _output_problem(name: str) -> str | None:
    return None if OUTPUT_NAME.fullmatch(name) else NO_NAME


def _read(data: bytes, file: str, name_problem: Callable[[str], str | None]) -> Assignments:
    if len(data) >= HANDOVER_BYTES:
        return Assignments(problem=f"{file} is larger than {HANDOVER_BYTES // 1024} KiB")
    values: dict[str, str] = {}
    for item in _assignments(data.decode("utf-8", "replace")):
        problem = item.problem or name_problem(item.name)
        if problem is None and (found := check_value(item.name, item.value)):
            problem = found.message
        if problem is not None:
            return Assignments(problem=f"{file}, line {item.line}: {problem}")
        values[item.name] = item.value
    return Assignments(values)


@dataclass(frozen=True, slots=True)
class _Assignment:
    line: int
    name: str = ""
    value: str = ""
    problem: str | None = None


def _assignments(text: str) -> Iterator[_Assignment]:
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line, number = lines[at].removesuffix("\r"), at + 1
        crlf = line != lines[at]
        at += 1
        name, sign, rest = _divided(line)
        if sign == "=":
            yield _Assignment(number, name, rest)
        elif sign and (end := _index(lines, rest, at)) is not None:
            value = lines[at:end]
            yield _Assignment(number, name, "\n".join(_without_cr(value) if crlf else value))
            at = end + 1
        elif sign:
            yield _Assignment(number, name, problem="the closing WORD of the value is missing")
        elif line.strip():
            yield _Assignment(number, problem="must be NAME=value or NAME<<WORD")


def _without_cr(lines: list[str]) -> Iterator[str]:
    return (line.removesuffix("\r") for line in lines)


def _index(lines: list[str], word: str, start: int) -> int | None:
    """The next line with only this word."""
    if not word:
        return None
    closing = (word, f"{word}\r")
    return next((at for at in range(start, len(lines)) if lines[at] in closing), None)


def _divided(line: str) -> tuple[str, str, str]:
    """The name, the sign and the rest, split at the first `=` or `<<`."""
    plain, here = line.partition("="), line.partition("<<")
    return here if here[1] and len(here[0]) < len(plain[0]) else plain


@dataclass(frozen=True, slots=True)
class Progress:
    """A script's progress. `percent` is 0 to 100, or None if unknown."""

    percent: float | None
    text: str


def read_progress(line: str) -> Progress | None:
    """Parse `40 Cloning disk`, `40% Cloning disk` or plain text; None for an empty line."""
    match = _PROGRESS.fullmatch(line)
    if match and float(match[1]) <= 100:
        percent = float(match[1])
        return Progress(int(percent) if percent.is_integer() else percent, (match[2] or "").strip())
    return Progress(None, line.strip()) if line.strip() else None


@dataclass(frozen=True, slots=True)
class Planned:
    """One change that a dry run would have made."""

    text: str
    label: PlanLabel


def read_plan(line: str) -> Planned | None:
    """Parse `verified: create VM 104` or text without a label; None for an empty line."""
    match = _PLAN.fullmatch(line.strip())
    if match:
        return Planned(match[2], PlanLabel(match[1])) if match[2] else None
    return Planned(line.strip(), PlanLabel.UNKNOWN) if line.strip() else None


def label_of(labels: Iterable[PlanLabel]) -> PlanLabel:
    """The least reliable label of a dry run's plan; unknown if nothing was planned."""
    found = set(labels)
    for label in (PlanLabel.UNKNOWN, PlanLabel.ASSUMED, PlanLabel.VERIFIED):
        if label in found:
            return label
    return PlanLabel.UNKNOWN


class Lines:
    """Splits bytes, in pieces of any size, into lines. Long lines are truncated."""

    def __init__(self) -> None:
        self._open = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, rest = (self._open + data).split(b"\n")
        self._open = rest[: LINE_BYTES + 1]
        return [line[:LINE_BYTES].decode("utf-8", "replace") for line in whole]

    def finish(self) -> list[str]:
        """The last line, if it has no line ending."""
        last, self._open = self._open, b""
        return [last[:LINE_BYTES].decode("utf-8", "replace")] if last else []


class MaskLines:
    """The values in RUNBOOK_MASK: one per line, or `<<WORD`, lines, and WORD; CRLF as for values.

    A value counts as soon as its start arrives: an unfinished line is a value, and so is its longer
    continuation.
    """

    def __init__(self) -> None:
        self._open = b""
        self._word: bytes | None = None
        self._crlf = False
        self._lines: list[bytes] = []

    def feed(self, data: bytes) -> list[str]:
        """The new values in these bytes."""
        *whole, self._open = (self._open + data).split(b"\n")
        values: list[bytes] = []
        for line in whole:
            self._take(line, values)
        if self._word is not None:
            values.append(b"\n".join([*self._lines, self._own(self._open)]))
        elif not self._open.startswith(b"<<"):
            values.append(self._open.removesuffix(b"\r"))
        return [value.decode("utf-8", "surrogateescape") for value in values if value]

    def finish(self) -> list[str]:
        """The unfinished value. The next input starts a new value."""
        own = self._own(self._open) if self._word is not None else self._open.removesuffix(b"\r")
        left = [*self._lines, own]
        self._open, self._word, self._lines = b"", None, []
        value = b"\n".join(left).decode("utf-8", "surrogateescape")
        return [value] if value else []

    @property
    def size(self) -> int:
        """Size of the buffered, incomplete value in bytes."""
        return len(self._open) + sum(len(line) for line in self._lines)

    def _own(self, line: bytes) -> bytes:
        """The line without what belongs to its line end."""
        return line.removesuffix(b"\r") if self._crlf else line

    def _take(self, line: bytes, values: list[bytes]) -> None:
        plain = line.removesuffix(b"\r")
        if self._word is None and plain.startswith(b"<<") and len(plain) > 2:
            self._word, self._crlf = plain[2:], plain != line
        elif self._word is None:
            values.append(plain)
        elif plain == self._word:
            values.append(b"\n".join(self._lines))
            self._word, self._lines = None, []
        else:
            self._lines.append(self._own(line))
