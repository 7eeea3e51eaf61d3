"""RouterOS scripts as text: exports without what changes by itself, and what a script does.

Pure functions: nothing here talks to a router, or needs an extra.

    from runbook.connectors.routeros import rsc

    rsc.normalized(export)              # the same text as long as the configuration is the same
    script = rsc.parse(text)
    script.problems                     # unbalanced quotes, a truncated end
    for section in script.sections:     # /ip address: 2 add, 1 set, 0 remove
        print(section.path, section.add, section.set, section.remove)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

VERBS = frozenset(
    (
        *("add", "set", "remove", "enable", "disable", "unset", "move", "comment", "edit"),
        *("print", "find", "get", "export", "import", "reset", "reset-counters", "monitor"),
        *("run", "save", "load", "reboot", "shutdown", "reset-configuration", "install"),
        *("download", "upgrade", "check-for-updates", "sign", "generate-key", "fetch"),
    )
)
"""Words that are commands wherever they stand: nothing tells others from names of menus."""
_DATE = r"(?:[A-Za-z]{3}/\d{1,2}/\d{4}|\d{4}[-/]\d{1,2}[-/]\d{1,2})"
_HEADER = re.compile(rf"# {_DATE} \d{{1,2}}:\d{{2}}:\d{{2}} by RouterOS\b.*")
_INCOMPLETE = re.compile(r"#\s?(?:error exporting|interrupted)\b.*", re.IGNORECASE)
_OPENING, _CLOSING = "{[(", "}])"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


class Fault(StrEnum):
    UNBALANCED_QUOTES = "unbalanced_quotes"
    UNBALANCED_BRACKETS = "unbalanced_brackets"
    TRUNCATED = "truncated"
    """The last line ends with a backslash: the rest is missing."""
    INCOMPLETE_EXPORT = "incomplete_export"
    """The router says that it left something out."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a script. `line` counts from 1."""

    code: Fault
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command in one line. `path` is its menu, such as `/ip address`.

    `verb` is empty if it isn't one that changes or reads a menu.
    """

    path: str
    verb: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Section:
    """How many commands a script has for a menu."""

    path: str
    add: int = 0
    set: int = 0
    remove: int = 0
    other: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    commands: tuple[Command, ...]
    problems: tuple[Problem, ...]

    @property
    def sections(self) -> tuple[Section, ...]:
        """In the order in which the menus first appear."""
        counts: dict[str, Counter[str]] = {}
        for command in self.commands:
            verb = command.verb if command.verb in ("add", "set", "remove") else "other"
            counts.setdefault(command.path, Counter())[verb] += 1
        return tuple(Section(path, **count) for path, count in counts.items())


def normalized(export: str) -> str:
    """The export without its date, in the same form for all versions.

    Remarks on the state, which the router writes between commands, are left out: they come and go.
    """
    lines: list[str] = []
    in_header = True
    for line in map(str.rstrip, export.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")):
        is_remark = line.startswith("#")
        if is_remark and (not in_header or _HEADER.fullmatch(line)):
            continue
        in_header = in_header and (is_remark or not line)
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip("\n") + "\n"


def parse(text: str) -> Script:
    """The commands of a script, and what is wrong with it."""
    commands, problems = list[Command](), list[Problem]()
    menu = "/"
    for line, logical in _logical_lines(text, problems):
        path, verb, is_menu = _place(logical, menu)
        if is_menu:
            menu = path
        else:
            commands.append(Command(path, verb, logical, line))
    return Script(tuple(commands), tuple(problems))


def _logical_lines(text: str, problems: list[Problem]) -> Iterator[tuple[int, str]]:
    """Commands with the number of their first line: continued lines and blocks are joined."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").removesuffix("\n").split("\n")
    open_ = _Open(0)
    for number, line in enumerate(lines, start=1):
        if not open_.parts:
            stripped = line.strip()
            if _INCOMPLETE.fullmatch(stripped):
                problems.append(Problem(Fault.INCOMPLETE_EXPORT, number, stripped))
            if not stripped or stripped.startswith("#"):
                continue
            open_ = _Open(number)
        if open_.takes(line):
            continue
        problems += open_.problems()
        yield open_.first, open_.text
        open_ = _Open(0)
    if open_.parts:
        problems += open_.problems(len(lines))
        yield open_.first, open_.text


def _is_continued(line: str) -> bool:
    """Whether an odd number of backslashes ends the line: two are one that is meant as such."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


class _Open:
    """A command that may go on in the next line. `first` is the number of its first line."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.parts: list[str] = []
        self._continued = False
        self._in_quotes = False
        self._depth = 0
        self._escaped = False

    @property
    def text(self) -> str:
        return "".join(self.parts).strip()

    def takes(self, line: str) -> bool:
        """Whether it goes on after this line."""
        line = line.lstrip() if self.parts else line.strip()
        self._continued = _is_continued(line)
        self._read(line[:-1] if self._continued else line)
        if not self._continued and self._depth > 0 and not self._in_quotes:
            self.parts.append("\n")
            return True
        return self._continued

    def _read(self, text: str) -> None:
        self.parts.append(text)
        for char in text:
            if self._escaped:
                self._escaped = False
            elif char == "\\":
                self._escaped = True
            elif char == '"':
                self._in_quotes = not self._in_quotes
            elif not self._in_quotes:
                self._depth += (char in _OPENING) - (char in _CLOSING)

    def problems(self, last: int = 0) -> list[Problem]:
        """What is wrong at its end; `last` is the number of the last line, if that is it."""
        if last and self._continued:
            text = "The last line ends with a backslash: the rest is missing"
            return [Problem(Fault.TRUNCATED, last, text)]
        if self._in_quotes:
            text = "A quote is opened, but not closed in the same command"
            return [Problem(Fault.UNBALANCED_QUOTES, self.first, text)]
        if self._depth:
            text = "A bracket is " + ("not closed" if self._depth > 0 else "closed, but not opened")
            return [Problem(Fault.UNBALANCED_BRACKETS, self.first, text)]
        return []


def _place(command: str, menu: str) -> tuple[str, str, bool]:
    """The menu and the verb of a command, and whether it only goes to the menu."""
    absolute = command.startswith("/")
    here = [] if absolute else menu.strip("/").split()
    words = list(here)
    for word in _leading_words(command.lstrip("/")):
        if word in VERBS:
            return _path(words), word, False
        if word == "..":
            words = words[:-1]
        elif _WORD.fullmatch(word):
            words.append(word)
        else:
            return _path(here), "", False
    return (_path(words), "", True) if absolute else (_path(here), "", False)


def _leading_words(text: str) -> Iterator[str]:
    """The words of a command; its menu may be written with blanks or with slashes."""
    for word in text.split():
        yield from filter(None, word.split("/")) if "=" not in word and '"' not in word else [word]


def _path(words: list[str]) -> str:
    return "/" + " ".join(words)
