"""Commands that can't be part of a change: they would cut it short, or take its revert away.

Menus and commands may be abbreviated, and stand in blocks, brackets, and scripts in quotes. What a
change only stores is not its part: a script that the scheduler starts later may restart the router.
It is a guard against slips: what a variable or another file has isn't seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from runbook.connectors.routeros.revert import COMMENT, PREFIX
from runbook.connectors.routeros.rsc import VERBS

Words = tuple[str, ...]

FORBIDDEN: tuple[Words, ...] = (
    ("system", "reset-configuration"),
    ("system", "shutdown"),
    ("system", "reboot"),
    ("system", "backup", "load"),
    ("system", "package", "downgrade"),
    ("system", "package", "apply-changes"),
    ("system", "package", "update", "install"),
    ("partitions", "activate"),
    ("partitions", "repartition"),
    ("partitions", "restore-config-from"),
)
REVERTS: tuple[Words, ...] = (("system", "scheduler"), ("file",))
"""Menus that the revert is in: its entry, and the backup that it loads."""
TAKING = ("remove", "disable", "set", "unset", "edit", "reset")
EXECUTING = ("execute", "parse")
"""They execute a text."""
_CLOCK = re.compile(r"clock|ntp|cloud|time|date|gmt")
_STORED = re.compile(r"(?:source|on-[a-z]+|script|[a-z]+-script)=$")
_NAMED = re.compile(
    r"""\s*(?:numbers=)?(?:
        \[\s*find\s+(?:where\s+)?(?:name|comment)\s*=\s*(?:"[^"$\[]*"|[\w.-]+)\s*\]
        | "[^"$\[*,]+" | [A-Za-z][\w./-]*
    )(?=\s|$)""",
    re.VERBOSE,
)
_CONTINUED = re.compile(r"\\\n[ \t]*")
_NOTHING = "\0"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*|\.\.")


@dataclass(frozen=True, slots=True)
class Forbidden:
    """`line` counts from 1."""

    line: int
    message: str


def first_forbidden(script: str) -> Forbidden | None:
    """The first command of a change that can't be a part of it."""
    try:
        return next(_Reader(script).found(), None)
    except RecursionError:
        return Forbidden(1, "Its brackets are nested too deeply")


def may_change_clock(script: str) -> bool:
    """Whether a revert might not come in time by the router's clock alone: rather too often."""
    return _CLOCK.search(script) is not None


@dataclass
class _Command:
    """What is read of a command. `texts` are its texts in quotes."""

    start: int
    words: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    word: str = ""

    def end_word(self) -> None:
        if self.word:
            self.words.append(self.word)
        self.word = ""


class _Reader:
    def __init__(self, script: str, line: int = 1) -> None:
        self._lines = script.replace("\r\n", "\n").replace(_NOTHING, " ")
        # A continued line goes on as if nothing were between, not even blanks.
        self._script = _CONTINUED.sub(lambda it: _NOTHING * len(it[0]), self._lines) + "\n"
        self._line = line
        self._at = 0

    def found(self) -> Iterator[Forbidden]:
        while self._at < len(self._script):
            yield from self._block(frozenset({()}))

    def _block(self, menus: frozenset[Words]) -> Iterator[Forbidden]:
        """Until its bracket is closed."""
        command = _Command(self._at)
        while self._at < len(self._script):
            char = self._script[self._at]
            self._at += 1
            if char in "\n;}])":
                command.end_word()
                yield from self._judged(command, menus)
                if char in "}])":
                    return
                menus = _next_menus(command, menus)
                command = _Command(self._at)
            elif char == "#" and not command.words and not command.word:
                self._at = self._script.find("\n", self._at)
            elif char == '"':
                text = self._text()
                command.texts.append(text)
                command.word += '"'
            elif char in "{[(":
                yield from self._nested(command, menus)
            elif char in " \t":
                command.end_word()
            elif char != _NOTHING:
                command.word += char
        command.end_word()
        yield from self._judged(command, menus)

    def _nested(self, command: _Command, menus: frozenset[Words]) -> Iterator[Forbidden]:
        is_stored = _STORED.search(command.word) is not None
        inner = list(self._block(frozenset(_places(_menu_of(command.words), menus))))
        # What stands in brackets is a value: the command's own words go on after it.
        command.word += "[]"
        command.end_word()
        if not is_stored:
            yield from inner

    def _text(self) -> str:
        """Up to the closing quote; without its escapes."""
        text = ""
        while self._at < len(self._script) and (char := self._script[self._at]) != '"':
            self._at += 1
            if char == "\\" and self._at < len(self._script):
                char = {"n": "\n", "r": "\n"}.get(self._script[self._at], self._script[self._at])
                self._at += 1
            text += char
        self._at += 1
        return text.replace(_NOTHING, "")

    def _judged(self, command: _Command, menus: frozenset[Words]) -> Iterator[Forbidden]:
        if not command.words:
            return
        text = self._script[command.start : self._at - 1].replace(_NOTHING, "")
        message = _wrong(command, menus, text)
        if message:
            yield Forbidden(self._line_of(command), message)
        elif any(_starts(command.words[0].lstrip(":/"), one) for one in EXECUTING):
            for executed in command.texts:
                yield from _Reader(executed, self._line_of(command)).found()

    def _line_of(self, command: _Command) -> int:
        start = command.start
        while self._script[start].isspace() or self._script[start] == _NOTHING:
            start += 1
        return self._line + self._lines.count("\n", 0, start)


def _wrong(command: _Command, menus: frozenset[Words], text: str) -> str | None:
    """Why it can't be part of a change; `text` is all of it."""
    for place in _places(command.words, menus):
        for one in FORBIDDEN:
            if _is(place, one):
                return f"/{' '.join(one)} can't be part of a change"
        for menu in REVERTS:
            if _takes(place, menu) and not _is_named(text, place[len(menu)]):
                said = f"/{' '.join(menu)} {place[len(menu)]} could take the revert away"
                return f"{said}: give one name, or [find name=NAME]"
    return None


def _menu_of(words: list[str]) -> list[str]:
    """What is left of a command's words without the command itself."""
    for number, word in enumerate(words):
        if any(_starts(word, verb) for verb in VERBS):
            return words[:number]
    return words


def _places(words: list[str], menus: frozenset[Words]) -> Iterator[Words]:
    """The words of a command with its menu before, for each menu that it may be in."""
    if words[:1] and words[0].startswith(":"):
        return
    absolute = bool(words) and words[0].startswith("/")
    parts: list[str] = []
    for word in words:
        if "=" in word or '"' in word or "[" in word or "$" in word:
            break
        parts += filter(None, word.split("/"))
    for menu in {()} if absolute else menus:
        place = list(menu)
        for part in parts:
            if part == "..":
                place = place[:-1]
            else:
                place.append(part)
        yield tuple(place)


def _next_menus(command: _Command, menus: frozenset[Words]) -> frozenset[Words]:
    """A command of names only goes to a menu, unless it is one that only looks like that."""
    words = [part for word in command.words for part in word.split("/") if part]
    if not words or not all(map(_PLAIN.fullmatch, words)):
        return menus
    places = frozenset(_places(command.words, menus))
    if any(verb.startswith(words[-1]) for verb in VERBS):
        return menus | places
    if any(word in VERBS for word in words):
        return menus
    return places


def _starts(word: str, wanted: str) -> bool:
    return bool(word) and wanted.startswith(word)


def _is(place: Words, wanted: Words) -> bool:
    """Whether it is this command, abbreviated or not."""
    return len(place) >= len(wanted) and all(map(_starts, place, wanted))


def _takes(place: Words, menu: Words) -> bool:
    return (
        len(place) > len(menu)
        and all(map(_starts, place, menu))
        and any(_starts(place[len(menu)], one) for one in TAKING)
    )


def _is_named(command: str, verb: str) -> bool:
    """Whether it is for one entry, which isn't the revert's."""
    _, _, rest = command.partition(verb)
    named = _NAMED.match(rest)
    return named is not None and PREFIX not in named[0] and COMMENT not in named[0]
