"""The log of a router."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import runbook
from mikrotik_toolkit import given, known, showing
from runbook.connectors import routeros

LEVELS = ("critical", "error", "warning", "info", "debug")
"""The worst first."""
HEADERS = ("time", "topics", "message")


@dataclass(frozen=True, slots=True)
class Entry:
    time: str
    topics: tuple[str, ...]
    message: str

    @property
    def row(self) -> tuple[str, str, str]:
        return self.time, ",".join(self.topics), self.message


@dataclass(frozen=True, slots=True)
class Wanted:
    """`level` is the mildest to show; `topics` are alternatives."""

    level: str = ""
    topics: frozenset[str] = frozenset()
    text: str = ""

    def takes(self, entry: Entry) -> bool:
        if self.text and self.text.lower() not in entry.message.lower():
            return False
        if self.topics and not self.topics & set(entry.topics):
            return False
        return not self.level or bool(set(entry.topics) & set(self._levels()))

    def _levels(self) -> tuple[str, ...]:
        return LEVELS[: LEVELS.index(self.level) + 1]


def main() -> None:
    wanted = Wanted(given.text("LEVEL"), frozenset(given.words("TOPICS")), given.text("TEXT"))
    with routeros.connect("ROUTER") as router:
        rows = router.print("/log", properties=("time", "topics", "message"))
    found = chosen(map(entry_of, rows), wanted, given.whole("COUNT", 100))
    shown = [entry.row for entry in found]
    for row in shown:
        print(*row, sep="  ")
    showing.table(HEADERS, shown, title=f"Log of {known.name_of()}", nothing="No entries")
    showing.keep("log.csv", showing.as_csv(HEADERS, shown))
    runbook.output("COUNT", len(found))
    runbook.output("ENTRIES", [dict(zip(HEADERS, row, strict=True)) for row in shown[-50:]])


def entry_of(row: dict[str, str]) -> Entry:
    topics = tuple(filter(None, row.get("topics", "").split(",")))
    return Entry(row.get("time", ""), topics, row.get("message", ""))


def chosen(entries: Iterable[Entry], wanted: Wanted, most: int) -> list[Entry]:
    """The newest of them, the oldest first."""
    return list(filter(wanted.takes, entries))[-most:]
