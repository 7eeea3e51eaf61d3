"""The changes that runs made outside: what was intended, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from runbook.core.effects import Effect
from runbook.core.times import Millis
from runbook.errors import ConflictError, NotFoundError, NotOwnerError, RunEndedError
from runbook.script.limits import EFFECT_ID, EffectState
from runbook.store.conditions import SEQ_BY_ID
from runbook.store.reading import run_by_id
from runbook.store.rows import Component
from runbook.store.tables import effects, runs

_OF_RUN = (
    sa.select(effects, runs.c.id.label("run_id"))
    .where(effects.c.run_seq == SEQ_BY_ID, runs.c.seq == effects.c.run_seq)
    .order_by(effects.c.n)
)
_OWNED = sa.select(runs.c.seq).where(
    runs.c.id == sa.bindparam("run_id"),
    runs.c.finished_at.is_(None),
    runs.c.worker_id.is_not_distinct_from(sa.bindparam("owner")),
)
_INSERT = sa.insert(effects)
_SETTLE = (
    sa.update(effects)
    .where(effects.c.run_seq == SEQ_BY_ID, effects.c.n == sa.bindparam("number"))
    .values(
        state=sa.bindparam("new_state"),
        outcome=sa.bindparam("new_outcome", type_=effects.c.outcome.type),
        settled_at=sa.bindparam("new_at"),
        settled_by=sa.bindparam("by_run"),
    )
)
_STATES = {state.value: state for state in EffectState}


class Effects(Component):
    """Both writes return only when the record is on disk."""

    def of(self, run_id: str) -> list[Effect]:
        """A run's changes, in their order."""
        return self._database.read(
            lambda connection: [
                _effect_of(row) for row in connection.execute(_OF_RUN, {"run_id": run_id})
            ]
        )

    def intend(self, effect: Effect, *, worker_id: str | None) -> None:
        """Record a change that the run is about to make.

        Raises ConflictError if the run has ended or has another owner.
        """

        def work(connection: sa.Connection) -> None:
            run_seq = _owned(connection, effect.run_id, worker_id)
            connection.execute(_INSERT, _row(run_seq, effect))

        self._database.write(work, durable=True)

    def settle(
        self,
        effect_id: str,
        state: EffectState,
        outcome: Mapping[str, Any],
        *,
        by_run: str,
        worker_id: str | None,
    ) -> None:
        """Record how a change ended, of this run or of an earlier one.

        Raises ConflictError if run `by_run` has ended or has another owner, NotFoundError.
        """
        found = EFFECT_ID.fullmatch(effect_id)
        if found is None:
            raise NotFoundError("There is no such change.")
        values = {
            "run_id": found[1],
            "number": int(found[2]),
            "new_state": state.value,
            "new_outcome": dict(outcome),
            "new_at": self._clock(),
            "by_run": by_run,
        }

        def work(connection: sa.Connection) -> None:
            _owned(connection, by_run, worker_id)
            if connection.execute(_SETTLE, values).rowcount != 1:
                raise NotFoundError("There is no such change.")

        self._database.write(work, durable=True)


def _owned(connection: sa.Connection, run_id: str, owner: str | None) -> int:
    found = connection.execute(_OWNED, {"run_id": run_id, "owner": owner}).scalar()
    if found is None:
        raise _refusal(connection, run_id)
    return int(found)


def _refusal(connection: sa.Connection, run_id: str) -> ConflictError:
    run = run_by_id(connection, run_id)
    if run.status.terminal:
        return RunEndedError(f"The run has already ended: {run.status}.")
    return NotOwnerError()


def _row(run_seq: int, effect: Effect) -> dict[str, Any]:
    return {
        "run_seq": run_seq,
        "n": effect.n,
        "step": effect.step,
        "step_name": effect.step_name,
        "key": effect.key,
        "what": effect.what,
        "probe": dict(effect.probe),
        "state": effect.state.value,
        "at": effect.at,
        "outcome": dict(effect.outcome),
        "settled_at": effect.settled_at,
        "settled_by": effect.settled_by,
    }


def _effect_of(row: Any) -> Effect:
    """The change; if its state can't be read, a probe has to find out."""
    return Effect(
        run_id=row.run_id,
        n=row.n,
        key=_text(row.key),
        what=_text(row.what),
        probe=row.probe if isinstance(row.probe, dict) else {},
        state=_STATES.get(row.state, EffectState.INTENDED),
        at=_number(row.at) or 0,
        step=_number(row.step),
        step_name=row.step_name if isinstance(row.step_name, str) else None,
        outcome=row.outcome if isinstance(row.outcome, dict) else {},
        settled_at=_number(row.settled_at),
        settled_by=row.settled_by if isinstance(row.settled_by, str) else None,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> Millis | None:
    return value if isinstance(value, int) else None
