"""Active runs, for live lists."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from runbook.core.status import RunStatus
from runbook.core.times import iso
from runbook.resources.forms import Doc, optional_iso
from runbook.resources.run import WaitReasonJson, wait_json
from runbook.store.models import ActiveRun, Activity


class ListedActiveJson(TypedDict):
    id: str
    runbook: str
    status: RunStatus
    by: str
    created_at: str
    started_at: str | None
    waiting: WaitReasonJson | None


class ChangesJson(TypedDict):
    """The active runs."""

    active: Annotated[list[ListedActiveJson], Doc("Active runs, oldest first")]
    revision: Annotated[int, Doc("Changes whenever a run is created or finishes")]


def changes_json(activity: Activity) -> ChangesJson:
    return {
        "active": [_active_json(run) for run in activity.active],
        "revision": activity.revision,
    }


def _active_json(run: ActiveRun) -> ListedActiveJson:
    return {
        "id": run.id,
        "runbook": run.ref,
        "status": run.status,
        "by": run.by,
        "created_at": iso(run.created_at),
        "started_at": optional_iso(run.started_at),
        "waiting": None if run.waiting is None else wait_json(run.waiting),
    }
