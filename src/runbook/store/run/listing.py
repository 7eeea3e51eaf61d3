"""Queries for lists of runs, and their pagination cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from runbook.core.status import ACTIVE
from runbook.errors import RequestError
from runbook.store.dialects.portable import one_of
from runbook.store.models import RunFilter, Visibility
from runbook.store.reading import ACTIVE_STATUSES, RUN_COLUMNS
from runbook.store.tables import runs


def page_of(
    wanted: RunFilter,
    cursor: str | None,
    size: int,
    columns: Sequence[sa.ColumnElement[Any]] = RUN_COLUMNS,
) -> sa.Select[Any]:
    """The matching runs after the cursor, newest first; `inputs` of the filter is ignored.

    Raises RequestError for a bad cursor.
    """
    statement = sa.select(*columns).where(*_conditions(wanted))
    if cursor is not None:
        statement = statement.where(runs.c.seq < _seq_of(cursor))
    return statement.order_by(runs.c.seq.desc()).limit(size)


def _conditions(wanted: RunFilter) -> list[sa.ColumnElement[bool]]:
    conditions = [*_visible(wanted.visible), *_named(wanted)]
    if wanted.statuses:
        conditions.append(runs.c.status.in_(sorted(wanted.statuses)))
    if wanted.statuses and wanted.statuses <= ACTIVE:
        # Redundant, but allows the index on active runs to be used.
        conditions.append(runs.c.finished_at.is_(None))
    if wanted.since is not None:
        conditions.append(runs.c.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(runs.c.created_at < wanted.until)
    for column, value in (
        (runs.c.subject, wanted.subject),
        (runs.c.parent_id, wanted.parent_id),
        (runs.c.relation, wanted.relation),
        (runs.c.dry_run, wanted.dry_run),
    ):
        if value is not None:
            conditions.append(column == value)
    if wanted.root_id is not None:
        conditions.append(sa.or_(runs.c.root_id == wanted.root_id, runs.c.id == wanted.root_id))
    if wanted.text:
        conditions.append(_holding(wanted.text))
    return conditions + _active(wanted.active)


def _named(wanted: RunFilter) -> list[sa.ColumnElement[bool]]:
    asked = ((runs.c.id, wanted.ids), (runs.c.ref, wanted.refs))
    return [one_of(column, values) for column, values in asked if values is not None]


def _active(active: bool | None) -> list[sa.ColumnElement[bool]]:
    if active is None:
        return []
    if not active:
        return [runs.c.finished_at.is_not(None)]
    # The statuses are redundant, but allow the index on active runs to be used.
    return [runs.c.finished_at.is_(None), runs.c.status.in_(ACTIVE_STATUSES)]


def _visible(visible: Visibility) -> list[sa.ColumnElement[bool]]:
    if visible.everything:
        return []
    mine = [] if visible.subject is None else [runs.c.subject == visible.subject]
    return [sa.or_(one_of(runs.c.ref, visible.refs), *mine)]


def _holding(text: str) -> sa.ColumnElement[bool]:
    columns = (runs.c.ref, runs.c.name, runs.c.reason, runs.c.id)
    return sa.or_(*(column.icontains(text, autoescape=True) for column in columns))


def cursor_at(seq: int) -> str:
    """The cursor of the page after the run with this number."""
    return base64.urlsafe_b64encode(str(seq).encode()).decode().rstrip("=")


def _seq_of(cursor: str) -> int:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        seq = int(base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii"))
    except (ValueError, binascii.Error):
        raise RequestError("Invalid cursor: use next_cursor of an earlier page.") from None
    if not 0 <= seq < 2**63:
        raise RequestError("Invalid cursor: use next_cursor of an earlier page.")
    return seq
