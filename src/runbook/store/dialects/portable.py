"""What statements say in the words of each database, so that they are written once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.dialects.sqlite.dml import OnConflictClause
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from runbook.core.storable import storable

__all__ = [
    "Text",
    "Turn",
    "each_of",
    "exclusively",
    "insert",
    "is_remote",
    "one_of",
    "planned_anew",
    "unindexed",
]

T = TypeVar("T")

# All that PostgreSQL's compiler asks of SQLite's clause besides. Its own means the same, but
# importing that takes longer than the rest of a short command.
OnConflictClause.constraint_target = None  # type: ignore[attr-defined]

# Keeps our advisory locks apart from those of others in the same database.
_OURS = 0x52756E62


class Turn(IntEnum):
    """What one transaction at a time may do. Who takes several turns takes them in this order."""

    MIGRATION = 1
    QUEUE = 2
    LOCKS = 3
    INVENTORY = 5  # the numbers are those of the database's locks, not their order
    AUDIT = 4


_TAKE_TURN = sa.select(
    sa.func.pg_advisory_xact_lock(
        sa.literal(_OURS, sa.Integer), sa.bindparam("turn", None, sa.Integer)
    )
)


def exclusively(connection: sa.Connection, turn: Turn) -> None:
    """Take a turn exclusively until the transaction ends.

    The following statements read everything the previous holder committed. SQLite needs no turns: a
    write transaction locks the whole database.
    """
    if is_remote(connection):
        connection.execute(_TAKE_TURN, {"turn": turn.value})


def is_remote(connection: sa.Connection) -> bool:
    """Whether the database is a server: it sends what was selected as a whole."""
    return _is_remote(connection.dialect)


def _is_remote(dialect: sa.Dialect) -> bool:
    return dialect.name == "postgresql"


@contextmanager
def planned_anew(connection: sa.Connection) -> Iterator[None]:
    """Plan each statement for its values.

    The driver prepares a statement that it has often seen, and PostgreSQL may then plan it for any
    values: of a search, for a text that many rows contain.
    """
    if not is_remote(connection):
        yield
        return
    driver: Any = connection.connection.driver_connection
    usual, driver.prepare_threshold = driver.prepare_threshold, None
    try:
        yield
    finally:
        driver.prepare_threshold = usual


class Text(sa.TypeDecorator[str]):
    """Text that sorts by its bytes. What PostgreSQL does not take becomes a question mark."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        collation = "C" if _is_remote(dialect) else None
        return dialect.type_descriptor(sa.Text(collation=collation))

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
        """None for SQLite, which takes any text: each value would cost a call."""
        return super().bind_processor(dialect) if _is_remote(dialect) else None

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else storable(value)


class _Names(sa.TypeDecorator[list[str]]):
    """Any number of names as one parameter."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        is_list = _is_remote(dialect)
        return dialect.type_descriptor(sa.ARRAY(sa.Text) if is_list else sa.Text())

    def process_bind_param(self, value: list[str] | None, dialect: sa.Dialect) -> Any:
        names = [storable(name) for name in value or []]
        return names if _is_remote(dialect) else json.dumps(names)


class _OneOf(FunctionElement[bool]):
    type = sa.Boolean()
    inherit_cache = True
    _is_implicitly_boolean = True  # no index answers `IN (…) = 1`


def one_of(column: sa.ColumnElement[str], values: Iterable[str]) -> sa.ColumnElement[bool]:
    """One parameter however many values: a caller may see thousands of runbooks."""
    return _OneOf(column, sa.literal(sorted(values), _Names))


@compiles(_OneOf, "sqlite")
def _one_of_json(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, names = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({names}))"  # noqa: S608 - placeholders


@compiles(_OneOf, "postgresql")
def _one_of_array(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:
    column, names = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} = ANY ({names})"


def each_of(
    values: Iterable[str],
    key: sa.ColumnElement[int],
    found: Callable[[sa.ColumnElement[str]], sa.Select[int]],
    *,
    remote: bool,
) -> sa.Select[int]:
    """What `found` selects for each of the values: numbers that `key`, a primary key, may be.

    Unlike with `one_of`, the order and the limit of `found` apply to each value.
    """
    parameter = sa.literal(sorted(values), _Names)
    if remote:
        each = sa.func.unnest(parameter).table_valued("value").render_derived()
        rows = found(each.c.value).lateral()
        return sa.select(*rows.c).select_from(each.join(rows, sa.true()))
    each = sa.func.json_each(parameter).table_valued("value")
    rows_of = found(each.c.value).correlate(each)
    return sa.select(key).select_from(each).join(key.table, key.in_(rows_of))


class _Unindexed(FunctionElement[Any]):
    inherit_cache = True


def unindexed(column: sa.ColumnElement[T]) -> sa.ColumnElement[T]:
    """The column in a condition that no index shall answer.

    SQLite knows no numbers of rows. It would take any index that fits a condition, and sort what
    it finds, rather than read the few rows that another condition leaves.
    """
    element = _Unindexed(column)
    element.type = column.type
    return element


@compiles(_Unindexed, "sqlite")
def _with_a_plus(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(_Unindexed, "postgresql")
def _as_it_is(element: _Unindexed, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)
