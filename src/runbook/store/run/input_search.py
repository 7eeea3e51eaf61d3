"""Finds runs by the values of their inputs.

Inputs have no index: they are few characters among all that a run stores, and an index would cost
every run, searched for or not. Instead, a page examines a bounded number of runs, and its cursor
continues behind them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from runbook.quick_dataclass import dataclass
from runbook.store.dialects.values import read_json
from runbook.store.models import InputMatch, RunFilter, RunPage
from runbook.store.reading import RUN_COLUMNS, runs_of
from runbook.store.run.listing import cursor_at, read_rows
from runbook.store.tables import runs

MAX_EXAMINED = 10_000
"""Maximum number of runs that one page looks at."""
_BATCH = 1_000
_EXAMINED = (runs.c.seq, sa.cast(runs.c.inputs, sa.Text).label("inputs"))


@dataclass(frozen=True, slots=True)
class _Examined:
    """The matching runs of a page, and where the next one starts; None if there is none."""

    seqs: tuple[int, ...]
    cursor: str | None


def page_by_inputs(
    connection: sa.Connection, wanted: RunFilter, cursor: str | None, size: int
) -> RunPage:
    """At most `size` matching runs among the next MAX_EXAMINED that match the rest of the filter.

    The page can hold fewer runs, even none, and have a next one. Raises RequestError for a bad
    cursor.
    """
    examined = _examine(connection, wanted, cursor, size)
    statement = sa.select(*RUN_COLUMNS).where(runs.c.seq.in_(examined.seqs))
    found = runs_of(connection.execute(statement.order_by(runs.c.seq.desc())))
    return RunPage(tuple(found), examined.cursor)


def _examine(
    connection: sa.Connection, wanted: RunFilter, cursor: str | None, size: int
) -> _Examined:
    seqs: list[int] = []
    for _ in range(MAX_EXAMINED // _BATCH):
        rows = read_rows(connection, wanted, cursor, _BATCH, _EXAMINED)
        for row in rows:
            if not _fits(row["inputs"], wanted.inputs):
                continue
            if len(seqs) == size:
                return _Examined(tuple(seqs), cursor_at(seqs[-1]))
            seqs.append(row["seq"])
        if len(rows) < _BATCH:
            return _Examined(tuple(seqs), None)
        cursor = cursor_at(rows[-1]["seq"])
    return _Examined(tuple(seqs), cursor)


def _fits(stored: Any, matches: tuple[InputMatch, ...]) -> bool:
    """False for inputs that can't be read, too: the run's own page tells what is damaged."""
    if not all(_may_fit(stored, match.value) for match in matches):
        return False
    inputs = read_json(stored)
    if not isinstance(inputs, dict):
        return False
    kept = {name: value for name, value in inputs.items() if isinstance(value, str)}
    return all(match.fits(kept) for match in matches)


def _may_fit(stored: Any, value: str) -> bool:
    """Whether JSON text can contain the value. Decides most runs without reading their JSON."""
    is_plain = value.isascii() and value.isprintable() and not set(value) & {'"', "\\"}
    if not is_plain or not isinstance(stored, str) or not stored.isascii() or "\\u" in stored:
        return True
    return value.lower() in stored.lower()
