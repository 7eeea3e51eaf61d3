"""Values and expressions."""

from __future__ import annotations

import re
from typing import NamedTuple

from runbook.lab.routeros.console.reader import ENDS_WORD, VARIABLE, Reader
from runbook.lab.routeros.console.tree import (
    Array,
    Block,
    Joined,
    Literal,
    Operation,
    Property,
    Substitution,
    Value,
    Variable,
)

LEVELS: tuple[tuple[str, ...], ...] = (
    ("||", "or"),
    ("&&", "and"),
    ("!=", "<=", ">=", "=", "<", ">", "~", "in"),
    (",",),
    (".",),
    ("+", "-"),
    ("*", "/", "%"),
    ("->",),
)
COMPARE = 2
_WORD = re.compile(r"\d[\w.:/]*|\*?[A-Za-z0-9_][\w-]*|\*[0-9A-F]+")
_CONDITION_NAME = re.compile(r"[A-Za-z.][A-Za-z0-9.-]*")
_CONDITION_OPERATORS = ("!=", "<=", ">=", "=", "<", ">", "~")


class Found(NamedTuple):
    value: Value
    bare: bool
    """A word without quotes or anything else: perhaps a name."""


class Expressions(Reader):
    """Needs `block` of the parser for what stands in brackets."""

    def block(self, end: str) -> Block:
        raise NotImplementedError

    # -- values ----------------------------------------------------------------------------

    def value(self) -> Found:
        """One value as an argument has it: parts without blanks between them."""
        parts: list[Value] = []
        bare = True
        while self.peek() and (self.peek() not in ENDS_WORD or self.peek() == '"'):
            if self.continues():
                continue
            part = self._part()
            bare = bare and isinstance(part, Literal) and not part.quoted
            parts.append(part)
        if not parts:
            return Found(Literal(""), bare=True)
        if len(parts) == 1:
            return Found(parts[0], bare)
        return Found(Joined(parts), bare)

    def _part(self) -> Value:
        char = self.peek()
        if char == '"':
            return self._string()
        if char == "$":
            return self.dollar()
        if char == "[":
            return self._brackets()
        if char == "(":
            return self.parentheses()
        if char == "{":
            return self.array()
        return self._word()

    def _word(self) -> Literal:
        text = ""
        while (char := self.peek()) and char not in ENDS_WORD and char not in "$[({":
            if self.continues():
                continue
            if char == "\\":
                self.at += 1
                text += self._escaped().decode("latin-1")
            else:
                text += self.take()
        return Literal(text)

    def _string(self) -> Value:
        parts = [
            Literal(part, quoted=True) if isinstance(part, str) else part
            for part in self.string(self.dollar)
        ]
        return parts[0] if len(parts) == 1 and isinstance(parts[0], Literal) else Joined(parts)

    def dollar(self) -> Value:
        self.at += 1
        if self.peek() == "[":
            return self._brackets()
        if self.peek() == "(":
            return self.parentheses()
        if self.peek() == '"':
            return Variable(
                "".join(part for part in self.string(self.dollar) if isinstance(part, str))
            )
        start = self.at
        name = self.name(VARIABLE)
        if not name:
            raise self.fail("expected variable name", start)
        return Variable(name)

    def _brackets(self) -> Substitution:
        self.at += 1
        return Substitution(self.block("]"))

    def parentheses(self) -> Value:
        opened = self.at
        self.at += 1
        self._skip()
        if self.peek() == ")":
            self.at += 1
            return Array([])
        found = self._binary(0, where=False)
        self._skip()
        if self.peek() != ")":
            raise self.fail("expected closing parenthesis" if not self.peek() else "syntax error",
                            self.at if self.peek() else opened)  # fmt: skip
        self.at += 1
        return found

    def array(self) -> Array:
        opened = self.at
        self.at += 1
        items: list[tuple[Value | None, Value]] = []
        while True:
            self.skip_space()
            if self.peek() == "}":
                self.at += 1
                return Array(items)
            if not self.peek():
                raise self.fail("expected closing brace", opened)
            start = self.at
            items.append(self._item())
            if self.at == start:
                raise self.fail("syntax error", start)

    def _item(self) -> tuple[Value | None, Value]:
        key: Value | None = None
        if match := re.compile(r'("[^"$\\]*"|[A-Za-z0-9_-]+)=').match(self.text, self.at):
            self.at = match.end()
            key = Literal(match[1].strip('"'), quoted=True)
        return key, self.value().value

    # -- expressions -----------------------------------------------------------------------

    def condition(self, end: str) -> Value:
        """What follows `where`: properties compared with values, all of which must hold."""
        found = self._condition_or(end)
        self.skip_blank()
        return found

    def _condition_or(self, end: str) -> Value:
        found = self._condition_and(end)
        while self._operator(("||", "or")):
            found = Operation("||", [found, self._condition_and(end)])
        return found

    def _condition_and(self, end: str) -> Value:
        found = self._condition_one(end)
        while True:
            self.skip_blank()
            if self._at_end(end) or self.text.startswith("||", self.at) or self._at_word("or"):
                return found
            self._operator(("&&", "and"))
            found = Operation("&&", [found, self._condition_one(end)])

    def _at_end(self, end: str) -> bool:
        return self.peek() in {"", "\n", ";", ")", "]", "}", end}

    def _at_word(self, word: str) -> bool:
        return bool(re.compile(rf"{word}\b(?![=~<>!])").match(self.text, self.at))

    def _condition_one(self, end: str) -> Value:
        self.skip_blank()
        if self.peek() == "!" and self.peek(1) != "=":
            self.at += 1
            return Operation("!", [self._condition_one(end)])
        if self.peek() == "(":
            opened = self.at
            self.at += 1
            found = self._condition_or(")")
            self.skip_blank()
            if self.peek() != ")":
                raise self.fail("expected closing parenthesis", opened)
            self.at += 1
            return found
        if self.peek() in {"$", "["}:
            return self._compared(self._part())
        match = _CONDITION_NAME.match(self.text, self.at)
        if not match:
            raise self.fail("syntax error")
        self.at = match.end()
        return self._compared(Property(match[0]))

    def _compared(self, left: Value) -> Value:
        before = self.at
        self.skip_blank()
        for operator in _CONDITION_OPERATORS:
            if self.text.startswith(operator, self.at):
                self.at += len(operator)
                self.skip_blank()
                return Operation(operator, [left, self.value().value])
        self.at = before
        return left

    def _skip(self) -> None:
        while self.peek() == "\n" or (self.peek() and self.peek() in " \t\\"):
            if self.peek() == "\n":
                self.at += 1
                continue
            before = self.at
            self.skip_blank()
            if self.at == before:
                return

    def _operator(self, operators: tuple[str, ...]) -> str:
        self._skip() if operators[0] not in {"||", "&&"} else self.skip_blank()
        for one in operators:
            if not self.text.startswith(one, self.at):
                continue
            if one == "-" and self.peek(1) == ">":
                continue
            if one.isalpha() and not self._at_word(one):
                continue
            self.at += len(one)
            return one
        return ""

    def _binary(self, level: int, *, where: bool) -> Value:
        if level == len(LEVELS):
            return self._unary(where=where)
        found = self._binary(level + 1, where=where)
        while True:
            self._skip()
            operator = self._operator(LEVELS[level])
            if not operator:
                return found
            right = self._binary(level + 1, where=where)
            found = Operation({"or": "||", "and": "&&"}.get(operator, operator), [found, right])

    def _unary(self, *, where: bool) -> Value:
        self._skip()
        if self.peek() == "!" or self._at_word("not"):
            self.at += 1 if self.peek() == "!" else 3
            return Operation("!", [self._unary(where=where)])
        if self.peek() == "-":
            self.at += 1
            return Operation("-", [self._unary(where=where)])
        if self.peek() and self.peek() in '"$[({':
            return self._part()
        match = _WORD.match(self.text, self.at)
        if not match:
            raise self.fail("syntax error")
        self.at = match.end()
        return Literal(match[0])
