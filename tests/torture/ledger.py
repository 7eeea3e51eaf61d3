"""What really happened, as the scripts say, and what the database and the histories say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from runbook.core.status import RunStatus
from runbook.store.rows import EVENTS_PER_RUN

ENTRY = re.compile(r"^<!-- runbook-entry v=1 n=\d+ run=(\S+) status=(\S+) ", re.MULTILINE)
_RUNS = """
SELECT seq, id, ref, status, created_at, finished_at,
       CASE WHEN started_at IS NOT NULL THEN duration_ms END,
       relation, related_id, return_code,
       CAST(errors AS TEXT) AS errors, sealed_inputs IS NOT NULL AS sealed
FROM runs ORDER BY seq
"""
_STEPS = "SELECT runs.id, steps.name, steps.status FROM steps JOIN runs ON runs.seq = run_seq"
_EVENTS = f"""
SELECT run_seq, COUNT(*), MIN("key" % {EVENTS_PER_RUN}), MAX("key" % {EVENTS_PER_RUN}),
    SUM(CASE WHEN type = 'done' THEN 1 ELSE 0 END)
FROM events GROUP BY run_seq
"""


@dataclass(frozen=True)
class Mark:
    """A line of the ledger. `moment` is begin or end; the single block of a script is step `-`."""

    run_id: str
    step: str
    moment: str


@dataclass(frozen=True)
class RunRow:
    seq: int
    id: str
    ref: str
    status: str
    created_at: int
    finished_at: int | None
    duration_ms: int | None
    relation: str | None
    related_id: str | None
    return_code: int | None
    errors: str
    sealed: bool

    @property
    def ended(self) -> bool:
        return self.finished_at is not None and self.status in _TERMINAL


@dataclass(frozen=True)
class StepRow:
    run_id: str
    name: str
    status: str


@dataclass(frozen=True)
class EventCount:
    """The events of a run: how many, the first and the last number, and how many are `done`."""

    count: int
    first: int
    last: int
    done: int


@dataclass(frozen=True)
class Entry:
    run_id: str
    status: str


@dataclass
class Records:
    """All that is checked, read after the storm."""

    marks: Counter[Mark]
    runs: list[RunRow]
    steps: list[StepRow]
    events: dict[int, EventCount]
    entries: list[Entry]
    shared_locks: list[str]
    held_locks: list[str]
    workers: list[str]


_TERMINAL = frozenset(status.value for status in RunStatus if status.terminal)


def read_marks(path: Path) -> Counter[Mark]:
    lines = path.read_text().split("\n")[:-1]
    return Counter(Mark(*line.split(" ")) for line in lines)


def read_entries(runbooks: Path) -> Iterator[Entry]:
    for path in sorted(runbooks.rglob("*")):
        if path.suffix in (".md", ".history"):
            text = path.read_text(encoding="utf-8", errors="replace")
            yield from (Entry(*found.groups()) for found in ENTRY.finditer(text))


class Books:
    """The database, read without the engine."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    def active(self) -> list[str]:
        found = self.rows("SELECT id, ref, status FROM runs WHERE finished_at IS NULL ORDER BY seq")
        return [" ".join(map(str, row)) for row in found]

    def runs(self) -> list[RunRow]:
        return [RunRow(*row) for row in self.rows(_RUNS)]

    def steps(self) -> list[StepRow]:
        return [StepRow(*map(str, row)) for row in self.rows(_STEPS)]

    def events(self) -> dict[int, EventCount]:
        return {int(row[0]): EventCount(*map(int, row[1:])) for row in self.rows(_EVENTS)}

    def locks(self) -> list[str]:
        return [" ".join(map(str, row)) for row in self.rows("SELECT name, run_seq FROM locks")]

    def workers(self) -> list[str]:
        found = self.rows("SELECT kind, pid, id FROM workers")
        return [" ".join(map(str, row)) for row in found]

    def close(self) -> None:
        self.engine.dispose()
