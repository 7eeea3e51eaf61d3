"""All that the router keeps: rows by menu, settings, files, history and log."""

from __future__ import annotations

import base64
import copy
from dataclasses import dataclass, field
from typing import Any

Row = dict[str, str]
"""Only what was set. Defaults are added when it is read. `.id` is always there.

A row isn't changed once it's in a table, but replaced, so that copies of the tables are cheap.
"""

HISTORY = 100
LOG = 1000
VERSION = 1


@dataclass
class File:
    content: bytes
    modified: str
    type: str = "file"


@dataclass
class Part:
    """Some menus as they were at one time."""

    tables: dict[str, list[Row]]
    settings: dict[str, Row]


@dataclass
class Change:
    """One entry of `/system history`."""

    action: str
    by: str
    time: str
    before: Part
    after: Part
    undone: bool = False


@dataclass
class LogEntry:
    time: str
    topics: str
    message: str


@dataclass
class Config:
    """What a backup holds, and what `reset-configuration` removes."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    settings: dict[str, Row] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    """Certificates and their keys, as PEM, by name."""

    def rows(self, path: str) -> list[Row]:
        return self.tables.setdefault(path, [])

    def of(self, path: str) -> Row:
        return self.settings.setdefault(path, {})

    def new_id(self, space: str) -> str:
        self.counters[space] = self.counters.get(space, 0) + 1
        return f"*{self.counters[space]:X}"

    def copy(self) -> Config:
        return Config(
            {path: list(rows) for path, rows in self.tables.items()},
            dict(self.settings),
            dict(self.counters),
            dict(self.keys),
        )

    def changed_since(self, other: Config) -> tuple[Part, Part]:
        """What differs, as it was and as it is."""
        tables = [
            path
            for path in self.tables.keys() | other.tables.keys()
            if self.tables.get(path, []) != other.tables.get(path, [])
        ]
        settings = [
            path
            for path in self.settings.keys() | other.settings.keys()
            if self.settings.get(path, {}) != other.settings.get(path, {})
        ]
        was, now = (
            Part(
                {path: list(one.tables.get(path, [])) for path in tables},
                {path: one.settings.get(path, {}) for path in settings},
            )
            for one in (other, self)
        )
        return was, now

    def put_back(self, part: Part) -> None:
        self.tables.update({path: list(rows) for path, rows in part.tables.items()})
        self.settings.update(part.settings)

    def replace(self, path: str, old: Row, new: Row) -> None:
        rows = self.rows(path)
        at = next(at for at, row in enumerate(rows) if row is old)
        rows[at] = new

    def to_json(self) -> dict[str, Any]:
        return {
            "tables": self.tables,
            "settings": self.settings,
            "counters": self.counters,
            "keys": self.keys,
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Config:
        return cls(
            copy.deepcopy(found["tables"]),
            copy.deepcopy(found["settings"]),
            dict(found["counters"]),
            dict(found["keys"]),
        )


@dataclass
class State:
    config: Config = field(default_factory=Config)
    files: dict[str, File] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)
    """The newest is last."""
    log: list[LogEntry] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    """What survives a reset: version, mode of the device, time of the last change."""

    def remember(self, change: Change) -> None:
        self.history = [*(one for one in self.history if not one.undone), change][-HISTORY:]

    def note(self, entry: LogEntry) -> None:
        self.log.append(entry)
        del self.log[:-LOG]

    def to_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "config": self.config.to_json(),
            "facts": self.facts,
            "files": {
                name: [base64.b64encode(one.content).decode(), one.modified, one.type]
                for name, one in self.files.items()
            },
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> State:
        files = {
            name: File(base64.b64decode(content), modified, kind)
            for name, (content, modified, kind) in found["files"].items()
        }
        return cls(Config.from_json(found["config"]), files, facts=dict(found["facts"]))
