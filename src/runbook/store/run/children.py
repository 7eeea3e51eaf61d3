"""The runs that a run's script called, and the events in the run about them."""

from __future__ import annotations

import sqlalchemy as sa

from runbook.core.events import EventType
from runbook.core.run import Run
from runbook.core.status import StepStatus
from runbook.core.times import Millis
from runbook.store.conditions import IS_ACTIVE
from runbook.store.models import NewEvent
from runbook.store.rows import INSERT_EVENTS, event_rows
from runbook.store.tables import runs, steps

_ADVANCE = (
    sa.update(runs)
    .where(runs.c.id == sa.bindparam("parent"), runs.c.finished_at.is_(None))
    .values(last_event=runs.c.last_event + 1)
    .returning(runs.c.seq, runs.c.last_event)
)
_STEP = (
    sa.select(steps.c.n)
    .where(steps.c.run_seq == sa.bindparam("of_run"), steps.c.status == StepStatus.RUNNING.value)
    .limit(1)
)

_ACTIVE_CHILDREN = sa.select(runs.c.id).where(runs.c.parent_id == sa.bindparam("run_id"), IS_ACTIVE)


def tell_parent(connection: sa.Connection, child: Run, at: Millis) -> bool:
    """Append to the calling run, in the same transaction, that its child started or finished.

    False if the calling run is no longer active.
    """
    if child.is_root:
        return True
    parent = connection.execute(_ADVANCE, {"parent": child.tree.parent_id}).first()
    if parent is None:  # it has finished: there is nothing to follow
        return False
    seq, last = int(parent[0]), int(parent[1])
    step = connection.scalar(_STEP, {"of_run": seq})
    event = NewEvent(at, EventType.CHILD, data=_data(child), step=step)
    connection.execute(INSERT_EVENTS, event_rows(seq, last - 1, [event]))
    return True


def _data(child: Run) -> dict[str, object]:
    data: dict[str, object] = {
        "state": "ended" if child.status.terminal else "started",
        "run_id": child.id,
        "runbook": child.ref,
        "name": child.runbook.name,
        "status": child.status.value,
    }
    if child.relation is not None:
        data["relation"] = child.relation.value
    if child.status.terminal:
        data["return_code"] = child.result.return_code
    return data


def active_children(connection: sa.Connection, run_id: str) -> tuple[str, ...]:
    """The IDs of the runs that this run's script started and that haven't ended."""
    return tuple(connection.scalars(_ACTIVE_CHILDREN, {"run_id": run_id}))
