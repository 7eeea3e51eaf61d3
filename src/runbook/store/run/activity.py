"""The active runs, for clients that poll."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from runbook.core.status import RunStatus
from runbook.core.waiting import WaitReason, read_wait
from runbook.store.conditions import IS_ACTIVE
from runbook.store.models import ActiveRun, Activity
from runbook.store.reading import DAMAGE
from runbook.store.runbooks import REVISION
from runbook.store.tables import runs

_ACTIVITY = (
    sa.select(
        runs.c.id,
        runs.c.ref,
        runs.c.status,
        runs.c.subject,
        runs.c.created_at,
        runs.c.started_at,
        runs.c.root_id,
        runs.c.waiting,
    )
    .where(IS_ACTIVE, runs.c.purpose.is_(None))
    .order_by(runs.c.seq)
)
_REVISION = sa.select(
    sa.func.coalesce(sa.select(sa.func.max(runs.c.seq)).scalar_subquery(), 0)
    + sa.func.coalesce(REVISION.scalar_subquery(), 0)
)


def activity_of(connection: sa.Connection) -> Activity:
    # First, so that a change in between is noticed by the next look.
    revision = connection.scalar(_REVISION) or 0
    active = tuple(_active_run_of(row) for row in connection.execute(_ACTIVITY).mappings())
    return Activity(active, revision)


def _active_run_of(row: sa.RowMapping) -> ActiveRun:
    """The run; the page of a damaged one tells what is damaged."""
    created_at, started_at = row["created_at"], row["started_at"]
    return ActiveRun(
        id=str(row["id"]),
        ref=str(row["ref"]),
        status=RunStatus(row["status"]),
        by=str(row["subject"]),
        created_at=created_at if isinstance(created_at, int) else 0,
        started_at=started_at if isinstance(started_at, int) else None,
        root_id=row["root_id"],
        waiting=_wait_of(row["waiting"]),
    )


def _wait_of(stored: Any) -> WaitReason | None:
    try:
        return None if stored is None else read_wait(stored)
    except DAMAGE:
        return None
