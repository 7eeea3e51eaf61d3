"""What a script hands to the engine by files: values, progress, plans, and what to mask.

Values have two forms, as in the workflow files of GitHub Actions: `NAME=value` on one line, or
`NAME<<WORD`, any lines, and a line that is WORD alone. Nothing of a script's output is ever read
as a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runbook.core.environ import check_value, is_reserved, valid_name
from runbook.core.outcome import PlanLabel

HANDOVER_BYTES = 1024 * 1024
"""So much of one file is read after each step."""
LINE_BYTES = 4096
"""Longer lines of progress and plans are cut."""

# What stands there is not repeated: it may be the second line of a secret.
NO_NAME = "what stands before the sign cannot be a name"

_OUTPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_PROGRESS = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*%?(?:\s+(.*))?", re.DOTALL)
_PLAN = re.compile(r"(verified|assumed|unknown):\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Assignments:
    """The values that a file assigns; `problem` says why it cannot be used, if so."""

    values: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None


def read_env(data: bytes) -> Assignments:
    """What RUNBOOK_ENV says: variables of the steps that follow."""
    return _read(data, "RUNBOOK_ENV", _env_problem)


def read_outputs(data: bytes) -> Assignments:
    """What RUNBOOK_OUTPUT says: outputs of the run."""
    return _read(data, "RUNBOOK_OUTPUT", _output_problem)


def _env_problem(name: str) -> str | None:
    if not valid_name(name):
        return NO_NAME
    if is_reserved(name):
        return f"{name} is reserved: it changes how programs run, or belongs to the engine"
    return None


def _output_problem(name: str) -> str | None:
    return None if _OUTPUT_NAME.fullmatch(name) else NO_NAME


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
        line, number = lines[at], at + 1
        at += 1
        name, sign, rest = _divided(line)
        if sign == "=":
            yield _Assignment(number, name, rest)
        elif sign and (end := _index(lines, rest, at)) is not None:
            yield _Assignment(number, name, "\n".join(lines[at:end]))
            at = end + 1
        elif sign:
            yield _Assignment(number, name, problem="the WORD that ends the value is missing")
        elif line.strip():
            yield _Assignment(number, problem="must be NAME=value or NAME<<WORD")


def _index(lines: list[str], word: str, start: int) -> int | None:
    try:
        return lines.index(word, start) if word else None
    except ValueError:
        return None


def _divided(line: str) -> tuple[str, str, str]:
    """Name, sign and the rest, at the first of `=` and `<<`."""
    plain, here = line.partition("="), line.partition("<<")
    return here if here[1] and len(here[0]) < len(plain[0]) else plain


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a script has come. `percent` is from 0 to 100, None where it did not say."""

    percent: float | None
    text: str


def read_progress(line: str) -> Progress | None:
    """`40 Cloning disk`, `40% Cloning disk`, or a text alone; None for an empty line."""
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
    """`verified: create VM 104`, or a text without a label; None for an empty line."""
    match = _PLAN.fullmatch(line.strip())
    if match:
        return Planned(match[2], PlanLabel(match[1])) if match[2] else None
    return Planned(line.strip(), PlanLabel.UNKNOWN) if line.strip() else None


def label_of(labels: Iterable[PlanLabel]) -> PlanLabel:
    """A dry run is as good as its worst line; one that planned nothing tells nothing."""
    found = set(labels)
    for label in (PlanLabel.UNKNOWN, PlanLabel.ASSUMED, PlanLabel.VERIFIED):
        if label in found:
            return label
    return PlanLabel.UNKNOWN


class Lines:
    """Lines from bytes in pieces of any size. A long line is cut, and its rest left out."""

    def __init__(self) -> None:
        self._open = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, rest = (self._open + data).split(b"\n")
        self._open = rest[: LINE_BYTES + 1]
        return [line[:LINE_BYTES].decode("utf-8", "replace") for line in whole]

    def finish(self) -> list[str]:
        """The last line, where it has no end."""
        last, self._open = self._open, b""
        return [last[:LINE_BYTES].decode("utf-8", "replace")] if last else []


class MaskLines:
    """The values in RUNBOOK_MASK: one in each line, or `<<WORD`, its lines, and WORD.

    A value counts as soon as it begins to arrive: a line without its end is a value too, and is
    one again when it is longer.
    """

    def __init__(self) -> None:
        self._open = b""
        self._word: bytes | None = None
        self._lines: list[bytes] = []

    def feed(self, data: bytes) -> list[str]:
        """The values that are new with these bytes."""
        *whole, self._open = (self._open + data).split(b"\n")
        values: list[bytes] = []
        for line in whole:
            self._take(line, values)
        if self._word is not None:
            values.append(b"\n".join([*self._lines, self._open]))
        elif not self._open.startswith(b"<<"):
            values.append(self._open)
        return [value.decode("utf-8", "surrogateescape") for value in values if value]

    def finish(self) -> list[str]:
        """The value that has no end. What is fed next begins anew."""
        left = [*self._lines, self._open] if self._word is not None else [self._open]
        self._open, self._word, self._lines = b"", None, []
        value = b"\n".join(left).decode("utf-8", "surrogateescape")
        return [value] if value else []

    @property
    def size(self) -> int:
        """Bytes that are kept until the value that they belong to is whole."""
        return len(self._open) + sum(len(line) for line in self._lines)

    def _take(self, line: bytes, values: list[bytes]) -> None:
        if self._word is None and line.startswith(b"<<") and len(line) > 2:
            self._word = line[2:]
        elif self._word is None:
            values.append(line)
        elif line == self._word:
            values.append(b"\n".join(self._lines))
            self._word, self._lines = None, []
        else:
            self._lines.append(line)
