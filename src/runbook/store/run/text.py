"""Searches runs for a text.

Many runs share few refs and names: a search looks at each of those once, then for the runs that
have them.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from runbook.quick_dataclass import dataclass
from runbook.store.dialects.portable import unindexed
from runbook.store.run.searching import ID_END, PIECE, id_end, reasons
from runbook.store.run.sources import CANDIDATE, Condition, Source, Sources
from runbook.store.tables import runs

# After every other character, in the order of bytes.
_LAST_CHARACTER = "\U0010ffff"


def _each_name() -> sa.Select[str, str]:
    """Each ref with each of its names, by one look-up of the index for each."""
    first_ref = sa.func.min(runs.c.ref, type_=runs.c.ref.type)
    refs = sa.select(first_ref.label("ref")).cte("each_ref", recursive=True)
    next_ref = sa.select(first_ref).where(runs.c.ref > refs.c.ref).scalar_subquery()
    refs = refs.union_all(sa.select(next_ref).where(refs.c.ref.is_not(None)))
    first_name = sa.select(sa.func.min(runs.c.name, type_=runs.c.name.type))
    name = first_name.where(runs.c.ref == refs.c.ref).scalar_subquery()
    first_names = sa.select(refs.c.ref, name.label("name")).where(refs.c.ref.is_not(None))
    names = first_names.cte("each_name", recursive=True)
    following = first_name.where(runs.c.ref == names.c.ref, runs.c.name > names.c.name)
    names = names.union_all(
        sa.select(names.c.ref, following.scalar_subquery()).where(names.c.name.is_not(None))
    )
    return sa.select(names.c.ref, names.c.name).where(names.c.name.is_not(None))


_EACH_NAME = _each_name()


@dataclass(frozen=True, slots=True)
class Texts:
    """A text, and the refs whose runs contain it in ref or name: all of them, or some."""

    text: str
    whole: frozenset[str]
    partly: frozenset[str]

    @property
    def keys(self) -> int:
        return len(self.whole) + len(self.partly)

    def other_sources(self, connection: sa.Connection, sources: Sources) -> Iterator[Source]:
        """Those of runs that contain the text in their ID or reason."""
        for conditions in _of_id(CANDIDATE.c.id, self.text):
            yield sources.few(*conditions)
        if len(self.text) >= PIECE:
            found = reasons(connection, CANDIDATE, self.text, sources.span.before)
            yield sources.in_order(found.order, *found.conditions)


def texts_with(connection: sa.Connection, text: str) -> Texts:
    columns = _EACH_NAME.selected_columns
    matches = sa.or_(*(column.icontains(text, autoescape=True) for column in columns))
    found = connection.execute(_EACH_NAME.add_columns(sa.case((matches, 1), else_=0))).all()
    some = frozenset(ref for ref, _name, matched in found if matched)
    partly = some & frozenset(ref for ref, _name, matched in found if not matched)
    return Texts(text, some - partly, partly)


def contains(text: str) -> Condition:
    """The condition that a search puts on each run, without an index."""
    searched = [CANDIDATE.c.ref, CANDIDATE.c.name]
    if len(text) >= PIECE:
        searched.append(CANDIDATE.c.reason)
    return sa.or_(
        *(unindexed(column).icontains(text, autoescape=True) for column in searched),
        *(sa.and_(*conditions) for conditions in _of_id(unindexed(CANDIDATE.c.id), text)),
    )


def _of_id(column: sa.ColumnElement[str], text: str) -> Iterator[list[Condition]]:
    """The whole ID, its first characters, or its last ones, which a copied part of one has."""
    lowered = text.lower()
    yield [column == lowered]
    if len(text) >= ID_END:
        yield [column >= lowered, column < lowered + _LAST_CHARACTER]
        yield [id_end(column) == lowered[-ID_END:], column.endswith(lowered, autoescape=True)]
