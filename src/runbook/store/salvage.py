"""Copies damaged rows as far as possible, and reports each of them.

SQLite stores any value in any column; PostgreSQL doesn't. A value of the wrong type is replaced by
one that both accept. JSON that can't be parsed becomes a text with the original value, which
readers still recognize as damaged.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from runbook.quick_dataclass import dataclass
from runbook.store.dialects.portable import Text
from runbook.store.dialects.values import Unreadable, decode_text
from runbook.store.tables import blobs, documents

Row = dict[str, Any]

NAMED = 200
"""Damaged rows of a table that are named at most."""

_SMALL = range(-(2**31), 2**31)
"""What an INTEGER of PostgreSQL takes."""
_NONE = type(None)


class Fate(StrEnum):
    """How a damaged row was handled."""

    REPLACED = "replaced"
    """Copied, with other values in the listed columns."""
    SKIPPED = "skipped"
    """Not copied, because its key is damaged."""
    ADDED = "added"
    """Missing in the original, although other rows need it. The one in the copy is empty."""


@dataclass(frozen=True, slots=True)
class DamagedRow:
    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    fate: Fate


class Salvage:
    """Makes the rows of one table storable."""

    def __init__(self, table: sa.Table) -> None:
        self._table = table
        self._keys = [column.name for column in table.primary_key.columns]
        self._checks = [(column.name, _types_of(column)) for column in table.columns]
        self._small = [column.name for column in table.columns if _is_small(column)]
        self._json = [column.name for column in table.columns if isinstance(column.type, sa.JSON)]
        self.damaged: list[DamagedRow] = []
        self.count = 0

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that can be stored, with their damaged values replaced."""
        return [row for row in rows if not (wrong := self._wrong(row)) or self._saved(row, wrong)]

    def _wrong(self, row: Row) -> list[str]:
        wrong = [name for name, types in self._checks if type(row[name]) not in types]
        large = (name for name in self._small if isinstance(row[name], int))
        wrong += (name for name in large if row[name] not in _SMALL)
        wrong += (name for name in self._json if row[name] and not _is_json(row[name]))
        return list(dict.fromkeys(wrong))

    def _saved(self, row: Row, wrong: list[str]) -> bool:
        """Whether it can be stored now."""
        skipped = not set(wrong).isdisjoint(self._keys)
        fate = Fate.SKIPPED if skipped else Fate.REPLACED
        key = tuple(str(row[name]) for name in self._keys)
        self.count += 1
        if self.count <= NAMED:
            self.damaged.append(DamagedRow(self._table.name, key, tuple(wrong), fate))
        for name in () if skipped else wrong:
            row[name] = _replacement(self._table.c[name], row[name])
        return not skipped


def add_missing(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Row]
) -> Iterator[DamagedRow]:
    """Add the documents or blobs that these rows refer to and that the database doesn't have.

    They are empty, so their digests don't match.
    """
    for key in table.foreign_keys:
        kept = key.column
        wanted = {row[key.parent.name] for row in rows} - {None}
        if not wanted:
            continue
        found = set(connection.scalars(sa.select(kept).where(kept.in_(wanted))))
        for digest in sorted(wanted - found):
            row = {kept.name: digest, **_EMPTY[kept.table.name]}
            connection.execute(sa.insert(kept.table), row)
            yield DamagedRow(kept.table.name, (digest,), (), Fate.ADDED)


_EMPTY: Mapping[str, Row] = {
    documents.name: {"content": b"", "created_at": 0},
    blobs.name: {"content": b"", "created_at": 0, "size": 0},
}


def _types_of(column: sa.Column[Any]) -> frozenset[type]:
    """The types of sound values, as the driver and the column's type give them."""
    kind: tuple[type, ...]
    match column.type:
        case sa.JSON():
            kind = (dict, list, str, int, float, bool)
        case Text():
            kind = (str,)
        case sa.LargeBinary():
            kind = (bytes,)
        case sa.Boolean():
            kind = (bool,)
        case sa.Integer():
            kind = (int,)
        case sa.Float():
            kind = (float, int)
        case _:
            raise TypeError(f"{column} has a type that copies don't know")
    return frozenset((*kind, _NONE) if column.nullable else kind)


def _is_small(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.Integer) and not isinstance(column.type, sa.BigInteger)


def _is_json(value: object) -> bool:
    """False for numbers that only Python takes for JSON: NaN and the infinities."""
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, TypeError):
        return False
    return True


def _replacement(column: sa.Column[Any], value: object) -> object:
    match column.type:
        case sa.JSON():
            return _text_of(value.stored if isinstance(value, Unreadable) else value)
        case Text():
            return _text_of(value)
    if column.nullable:
        return None
    match column.type:
        case sa.LargeBinary():
            return b""
        case sa.Float():
            return 0.0
    return 0


def _text_of(value: object) -> str:
    if isinstance(value, bytes):
        return decode_text(value)
    return "null" if value is None else str(value)
