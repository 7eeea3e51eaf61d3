"""What a script consists of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Literal:
    text: str
    quoted: bool = False


@dataclass
class Joined:
    """A string with values in it."""

    parts: list[Value]


@dataclass
class Variable:
    name: str


@dataclass
class Substitution:
    """`[…]`"""

    block: Block


@dataclass
class Array:
    """`{a; b; key=c}`"""

    items: list[tuple[Value | None, Value]]


@dataclass
class Code:
    """`do={…}`"""

    block: Block


@dataclass
class Property:
    """In `where`: the value that the row has."""

    name: str


@dataclass
class Operation:
    """An operator with one operand or two."""

    operator: str
    operands: list[Value]


Value = Literal | Joined | Variable | Substitution | Array | Code | Property | Operation


@dataclass
class Argument:
    name: str
    """Empty if it was given by its place."""
    value: Value
    line: int
    column: int


@dataclass
class Command:
    path: str
    """The menu; empty for the commands of the root, `:` for those of the language."""
    name: str
    arguments: list[Argument] = field(default_factory=list)
    where: Value | None = None
    line: int = 1
    column: int = 1


@dataclass
class Block:
    commands: list[Command] = field(default_factory=list)
