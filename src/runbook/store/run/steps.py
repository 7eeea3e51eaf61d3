"""The steps of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from runbook.core.outcome import StepRun
from runbook.core.status import RunStatus, StepStatus
from runbook.core.times import Millis
from runbook.store.conditions import SEQ_BY_ID
from runbook.store.dialects.portable import insert
from runbook.store.rows import Component
from runbook.store.tables import steps

T = TypeVar("T")

_STEPS = sa.select(steps).where(steps.c.run_seq == SEQ_BY_ID).order_by(steps.c.n)
_INSERT_STEP = insert(steps)
_KEEP_STEP = _INSERT_STEP.on_conflict_do_update(
    index_elements=["run_seq", "n"],
    set_={
        column.name: _INSERT_STEP.excluded[column.name]
        for column in steps.c
        if not column.primary_key
    },
)
_AT = sa.bindparam("at", type_=sa.BigInteger)
_END_STEPS = (
    sa.update(steps)
    .where(steps.c.run_seq == sa.bindparam("of_run"), steps.c.status == StepStatus.RUNNING.value)
    .values(
        status=sa.bindparam("ended_as"),
        # The clock may have been set back.
        finished_at=sa.case((steps.c.started_at > _AT, steps.c.started_at), else_=_AT),
    )
)


class Steps(Component):
    def of(self, run_id: str) -> list[StepRun]:
        """The results of the run's steps, in order. Empty if its script has no steps."""
        return self._database.read(
            lambda connection: [
                _step_of(row) for row in connection.execute(_STEPS, {"run_id": run_id}).mappings()
            ]
        )


def keep_steps(connection: sa.Connection, run_seq: int, kept: Sequence[StepRun]) -> None:
    """Record steps, replacing earlier records of them."""
    if kept:
        connection.execute(_KEEP_STEP, [_row(run_seq, step) for step in kept])


def end_steps(connection: sa.Connection, run_seq: int, status: RunStatus, at: Millis) -> None:
    """Finish the steps that were running when the run finished, with its status."""
    connection.execute(_END_STEPS, {"of_run": run_seq, "ended_as": status.value, "at": at})


def _row(run_seq: int, step: StepRun) -> dict[str, Any]:
    return {
        "run_seq": run_seq,
        "n": step.n,
        "name": step.name,
        "status": step.status.value,
        "started_at": step.started_at,
        "finished_at": step.finished_at,
        "return_code": step.return_code,
        "attempts": step.attempts,
        "first_line": step.first_line,
        "last_line": step.last_line,
        "env": dict(step.env),
        "outputs": dict(step.outputs),
    }


_STATUSES = {status.value: status for status in StepStatus}


def _step_of(row: sa.RowMapping) -> StepRun:
    """The step; what is damaged has replacements, and nothing counts as completed by mistake."""
    return StepRun(
        n=row["n"],
        name=row["name"] if isinstance(row["name"], str) else f"step {row['n']}",
        status=_STATUSES.get(row["status"], StepStatus.FAILED),
        started_at=_number(row["started_at"], 0),
        finished_at=_number(row["finished_at"], None),
        return_code=_number(row["return_code"], None),
        attempts=_number(row["attempts"], 1),
        first_line=_number(row["first_line"], 1),
        last_line=_number(row["last_line"], 0),
        env=_handed(row["env"]),
        outputs=_handed(row["outputs"]),
    )


def _number(value: object, otherwise: T) -> int | T:
    return value if isinstance(value, int) else otherwise


def _handed(value: object) -> Mapping[str, str | None]:
    """Values that can't be read were not kept, so that a resume asks for them again."""
    if not isinstance(value, dict):
        return {}
    return {name: item if isinstance(item, str) else None for name, item in value.items()}
