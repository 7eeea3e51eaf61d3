"""Characters with their places, and the smallest parts of the language."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from runbook.lab.routeros.errors import Category, RouterError

ESCAPES = {
    "n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "_": " ",
    '"': '"', "\\": "\\", "$": "$", "?": "?",
}  # fmt: skip
HEX = frozenset("0123456789ABCDEF")
BLANK = frozenset(" \t")
ENDS_WORD = frozenset(' \t\n;])}"')
NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")
VARIABLE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


T = TypeVar("T")


class Reader:
    def __init__(self, text: str, first_line: int = 1) -> None:
        self.text = text.replace("\r\n", "\n").replace("\r", "\n")
        self.at = 0
        self.first_line = first_line

    def peek(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.text[index] if index < len(self.text) else ""

    def take(self) -> str:
        found = self.peek()
        self.at += 1
        return found

    def place(self, at: int | None = None) -> tuple[int, int]:
        """Line and column, both from one."""
        index = self.at if at is None else at
        before = self.text[:index]
        return before.count("\n") + self.first_line, index - (before.rfind("\n") + 1) + 1

    def fail(self, message: str, at: int | None = None) -> RouterError:
        line, column = self.place(at)
        return RouterError(message, Category.SCRIPT, line=line, column=column)

    def continues(self) -> bool:
        """At a line's end that doesn't count: skip it with the blanks that follow."""
        if self.peek() != "\\" or self.peek(1) != "\n":
            return False
        self.at += 2
        while self.peek() in BLANK and self.peek():
            self.at += 1
        return True

    def skip_blank(self) -> None:
        while self.continues() or (self.peek() and self.peek() in BLANK):
            if self.peek() in BLANK:
                self.at += 1

    def skip_space(self) -> None:
        """Blanks, line ends, semicolons and comments."""
        while True:
            self.skip_blank()
            if self.peek() == "#":
                while self.peek() not in {"", "\n"}:
                    self.at += 1
            if self.peek() not in {"\n", ";"}:
                return
            self.at += 1

    def name(self, letters: frozenset[str] = NAME) -> str:
        start = self.at
        while self.peek() and self.peek() in letters:
            self.at += 1
        return self.text[start : self.at]

    def string(self, dollar: Callable[[], T]) -> list[str | T]:
        """The parts of a string in quotes; `dollar` reads what follows a `$`."""
        opened = self.at
        self.at += 1
        parts: list[bytes | T] = []
        text = bytearray()
        while (char := self.peek()) != '"':
            if not char:
                raise self.fail("expected closing quote", opened)
            if self.continues():
                continue
            if char == "$":
                parts += [bytes(text)] if text else []
                text = bytearray()
                parts.append(dollar())
            elif char == "\\":
                self.at += 1
                text += self._escaped()
            else:
                text += self.take().encode()
        self.at += 1
        parts += [bytes(text)] if text or not parts else []
        return [_decoded(part) if isinstance(part, bytes) else part for part in parts]

    def _escaped(self) -> bytes:
        char = self.take()
        if char in HEX and self.peek() in HEX:
            return bytes([int(char + self.take(), 16)])
        if char in ESCAPES:
            return ESCAPES[char].encode()
        raise self.fail("syntax error", self.at - 1)

    def raw_braces(self) -> str:
        """The text between braces, as it stands."""
        opened = self.at
        depth, quoted = 0, False
        while char := self.take():
            if char == "\\":
                self.at += 1
            elif char == '"':
                quoted = not quoted
            elif not quoted:
                depth += {"{": 1, "}": -1}.get(char, 0)
                if depth == 0:
                    return self.text[opened + 1 : self.at - 1]
        raise self.fail("expected closing brace", opened)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
