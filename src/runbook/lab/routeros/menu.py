"""How menus are declared: as text that lists their properties.

    NAME[:KIND][(CHOICE|CHOICE)][=DEFAULT][FLAGS]

Flags: `!` is required to add, `@` is read-only, `#` is a secret, `+` is in
every export. A property without a default is
left out of what is printed until it is set.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto

from runbook.lab.routeros.values import Kind

_PROPERTY = re.compile(
    r"(?P<name>[a-z0-9.-]+)"
    r"(:(?P<kind>[a-z]+))?"
    r"(\((?P<choices>[^)]*)\))?"
    r"(=(?P<default>[^!@#+]*))?"
    r"(?P<flags>[!@#+]*)"
)


@dataclass(frozen=True)
class Property:
    name: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    read_only: bool = False
    secret: bool = False
    always: bool = False
    """`/export` writes it even if it has its default."""


class Shape(Enum):
    LIST = auto()
    """Rows that can be added and removed."""
    FIXED = auto()
    """Rows that are there, and can only be changed."""
    SETTINGS = auto()
    """One row without an ID."""
    FACTS = auto()
    """Rows that the router makes up when they are read."""
    FACT = auto()
    """One such row without an ID."""


@dataclass(frozen=True)
class Menu:
    path: str
    """With slashes, and none at its ends: `ip/address`."""
    properties: dict[str, Property]
    shape: Shape = Shape.LIST
    ordered: bool = False
    """Rows can be moved, and added before others."""
    unique: tuple[str, ...] = ()
    """No two rows agree in all of these."""
    duplicate: str = "already have such entry"
    exported: bool = True
    found_by: str = ""
    """The property by which `/export` finds a row that can't be added."""
    ids: str = ""
    """Menus whose rows share their IDs, as those of interfaces do."""
    since: tuple[int, int] = (0, 0)
    until: tuple[int, int] = (99, 0)
    policies: frozenset[str] = field(default=frozenset({"write"}))
    """What a user needs to change it."""

    @property
    def has_rows(self) -> bool:
        return self.shape in {Shape.LIST, Shape.FIXED, Shape.FACTS}

    @property
    def writable(self) -> bool:
        return self.shape in {Shape.LIST, Shape.FIXED, Shape.SETTINGS}


def properties(text: str) -> dict[str, Property]:
    found = {}
    for word in text.split():
        match = _PROPERTY.fullmatch(word)
        if not match:
            raise ValueError(word)
        flags = match["flags"]
        found[match["name"]] = Property(
            name=match["name"],
            kind=Kind(match["kind"] or "text"),
            choices=tuple((match["choices"] or "").split("|")) if match["choices"] else (),
            default=match["default"],
            required="!" in flags,
            read_only="@" in flags,
            secret="#" in flags,
            always="+" in flags,
        )
    return found


ROW = "comment disabled:bool=no"
"""Properties that most rows have."""


def rows(path: str, text: str, **options: object) -> Menu:
    return Menu(path, properties(f"{text} {ROW}"), **options)  # type: ignore[arg-type]


def bare_rows(path: str, text: str, **options: object) -> Menu:
    """Rows that can't be disabled."""
    return Menu(path, properties(text), **options)  # type: ignore[arg-type]


def settings(path: str, text: str, **options: object) -> Menu:
    return Menu(path, properties(text), Shape.SETTINGS, **options)  # type: ignore[arg-type]
