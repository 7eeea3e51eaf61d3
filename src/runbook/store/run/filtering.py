"""Conditions on runs that no index is meant to answer: another one has found the runs."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from runbook.store.dialects.portable import one_of, unindexed
from runbook.store.models import RunFilter, Visibility
from runbook.store.run.sources import CANDIDATE, Condition
from runbook.store.run.text import contains

_PLAIN = {column.name: unindexed(column) for column in CANDIDATE.c}


def conditions_of(wanted: RunFilter) -> tuple[Condition, ...]:
    """What each run must fulfil."""
    conditions = [
        one_of(_PLAIN[name], values)
        for name, values in (("id", wanted.ids), ("ref", wanted.refs))
        if values is not None
    ]
    if wanted.statuses:
        conditions.append(_PLAIN["status"].in_(sorted(wanted.statuses)))
    if wanted.since is not None:
        conditions.append(_PLAIN["created_at"] >= wanted.since)
    if wanted.until is not None:
        conditions.append(_PLAIN["created_at"] < wanted.until)
    for name in ("subject", "parent_id", "relation", "dry_run"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(_PLAIN[name] == value)
    if wanted.root_id is not None:
        root = wanted.root_id
        conditions.append(sa.or_(_PLAIN["root_id"] == root, _PLAIN["id"] == root))
    if wanted.text:
        conditions.append(contains(wanted.text))
    if wanted.active is not None:
        ended = _PLAIN["finished_at"].is_not(None)
        conditions.append(~ended if wanted.active else ended)
    return (*_visible(wanted.visible), *_of_purpose(wanted), *conditions)


def _visible(visible: Visibility) -> tuple[Condition, ...]:
    if visible.everything:
        return ()
    mine = [] if visible.subject is None else [_PLAIN["subject"] == visible.subject]
    return (sa.or_(one_of(_PLAIN["ref"], visible.refs), *mine),)


def _of_purpose(wanted: RunFilter) -> tuple[Condition, ...]:
    """Runs for a purpose are left out, except where runs are named."""
    if wanted.purpose is not None:
        return (_PLAIN["purpose"] == wanted.purpose.value,)
    named = any(value is not None for value in (wanted.ids, wanted.parent_id, wanted.root_id))
    return () if named else (_PLAIN["purpose"].is_(None),)


def in_time(wanted: RunFilter) -> Iterator[Condition]:
    """Those on the time of creation, for its index."""
    if wanted.since is not None:
        yield CANDIDATE.c.created_at >= wanted.since
    if wanted.until is not None:
        yield CANDIDATE.c.created_at < wanted.until
