"""Searching the texts of runs by indexes that each database has in its own way.

SQLite finds parts of reasons in a full-text index of three-character pieces, which triggers keep.
PostgreSQL has the like in its extension pg_trgm. Without either, a search reads all reasons.
"""

from __future__ import annotations

import sqlalchemy as sa

from runbook.quick_dataclass import dataclass
from runbook.store.dialects.portable import is_remote, unindexed
from runbook.store.tables import runs

PIECE = 3
"""The index finds texts of at least as many characters."""
ID_END = 8
"""How many of the last characters of an ID are indexed: people know runs by them."""

_TABLE = "runs_reason"
_REASONS = sa.table(_TABLE, sa.column("rowid", sa.Integer), sa.column(_TABLE, sa.Text))
_IS_THERE = sa.text(f"SELECT 1 FROM sqlite_master WHERE name = '{_TABLE}'")  # noqa: S608
# In the words of the index.
_BEFORE_END = sa.literal_column(str(ID_END - 1), sa.Integer)


@dataclass(frozen=True, slots=True)
class Key:
    """Conditions that an index answers, and a column whose order it has."""

    conditions: tuple[sa.ColumnElement[bool], ...]
    order: sa.ColumnElement[int]


def id_end(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """The last characters of a run's ID."""
    return sa.func.substr(column, sa.func.length(column) - _BEFORE_END, type_=runs.c.id.type)


def reasons(connection: sa.Connection, table: sa.FromClause, text: str, before: int) -> Key:
    """For runs below `before` whose reason contains a text of PIECE characters or more."""
    seq, reason = table.c[runs.c.seq.name], table.c[runs.c.reason.name]
    if is_remote(connection):
        # In no index's order: it would read all runs in the order of an index of numbers.
        return Key((reason.icontains(text, autoescape=True),), seq + 0)
    matched = _pieces(text)
    if not matched:
        return Key((sa.false(),), seq)
    if not connection.scalar(_IS_THERE):
        return Key((reason.icontains(text, autoescape=True),), seq)
    rowid, pieces = _REASONS.c.rowid, _REASONS.c[_TABLE]
    # That all pieces of the text are in a reason doesn't mean that the text is.
    contained = unindexed(reason).icontains(text, autoescape=True)
    matches = pieces.op("MATCH")(matched)
    return Key((matches, rowid < before, seq == rowid, contained), rowid)


def _pieces(text: str) -> str:
    """All pieces of a text that may be in a reason; an empty text is not a query."""
    pieces = {text[start : start + PIECE] for start in range(len(text) - PIECE + 1)}
    quoted = (piece.replace('"', '""') for piece in sorted(pieces) if "\0" not in piece)
    return " AND ".join(f'"{piece}"' for piece in quoted)
