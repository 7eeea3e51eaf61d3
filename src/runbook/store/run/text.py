"""Searches runs for a text.

Many runs share few refs and names: a search looks at each of those once, then for the runs that
have them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from runbook.store.dialects.portable import unindexed
from runbook.store.dialects.searching import ID_END, PIECE, id_end, reasons
from runbook.store.run.sources import CANDIDATE, Condition, Source, Sources
from runbook.store.tables import runs

# After every other character, in the order of bytes.
_LAST_CHARACTER = "\U0010ffff"


def _once(column: sa.Column[str]) -> sa.Select[str]:
    """Each value of an indexed column, by one look-up of the index."""
    value = sa.func.min(column, type_=column.type)
    each = sa.select(value.label("value")).cte("each_value", recursive=True)
    next_one = sa.select(value).where(column > each.c.value).scalar_subquery()
    each = each.union_all(sa.select(next_one).where(each.c.value.is_not(None)))
    return sa.select(each.c.value)


_REFS, _NAMES = _once(runs.c.ref), _once(runs.c.name)


def contains(text: str) -> Condition:
    """The condition that a search puts on each run, without an index."""
    searched = [CANDIDATE.c.ref, CANDIDATE.c.name]
    if len(text) >= PIECE:
        searched.append(CANDIDATE.c.reason)
    return sa.or_(
        *(unindexed(column).icontains(text, autoescape=True) for column in searched),
        *(sa.and_(*conditions) for conditions in _of_id(unindexed(CANDIDATE.c.id), text)),
    )


@dataclass(frozen=True, slots=True)
class Texts:
    """A text, and the refs and names that contain it."""

    text: str
    refs: list[str]
    names: list[str]

    @property
    def keys(self) -> int:
        return len(self.refs) + len(self.names)

    def sources(
        self, connection: sa.Connection, *, by_status: Sources, plain: Sources
    ) -> Iterator[Source]:
        """Together, they find all runs that contain the text."""
        if self.refs:
            yield from by_status.having_one_of(CANDIDATE.c.ref, self.refs)
        if self.names:
            yield from plain.having_one_of(CANDIDATE.c.name, self.names)
        for conditions in _of_id(CANDIDATE.c.id, self.text):
            yield plain.few(*conditions)
        if len(self.text) >= PIECE:
            found = reasons(connection, CANDIDATE, self.text, plain.span.before)
            yield plain.in_order(found.order, *found.conditions)


def texts_with(connection: sa.Connection, text: str) -> Texts:
    return Texts(text, _containing(connection, _REFS, text), _containing(connection, _NAMES, text))


def _of_id(column: sa.ColumnElement[str], text: str) -> Iterator[list[Condition]]:
    """The whole ID, its first characters, or its last ones, which a copied part of one has."""
    lowered = text.lower()
    yield [column == lowered]
    if len(text) >= ID_END:
        yield [column >= lowered, column < lowered + _LAST_CHARACTER]
        yield [id_end(column) == lowered[-ID_END:], column.endswith(lowered, autoescape=True)]


def _containing(connection: sa.Connection, values: sa.Select[str], text: str) -> list[str]:
    value = values.selected_columns[0]
    found = connection.scalars(values.where(value.icontains(text, autoescape=True)))
    return [each for each in found if each is not None]
