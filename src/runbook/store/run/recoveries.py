"""Runs that are to be recovered: which runbook is executed for them, and when.

A row is there from the end of the run until its recovery succeeds, is cancelled, or is given up.
"""

from __future__ import annotations

import sqlalchemy as sa

from runbook.core.recovery.rule import Recovery
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass
from runbook.store.device_tables import recoveries
from runbook.store.reading import RUN_BY_ID, runs_of
from runbook.store.rows import Component

MOST_AT_ONCE = 100
_DUE = (
    sa.select(recoveries)
    .where(recoveries.c.due_at <= sa.bindparam("now"))
    .order_by(recoveries.c.due_at, recoveries.c.run_seq)
    .limit(MOST_AT_ONCE)
)
_OF_RUN = sa.select(recoveries).where(recoveries.c.run_id == sa.bindparam("of_run"))
_INSERT = sa.insert(recoveries)
_THIS = recoveries.c.run_seq == sa.bindparam("of_seq")
_PUT_OFF = (
    sa.update(recoveries)
    .where(_THIS, recoveries.c.made == sa.bindparam("seen"))
    .values(made=sa.bindparam("now_made"), due_at=sa.bindparam("at"))
)
_FORGET = sa.delete(recoveries).where(_THIS)
_ENDED_BY_OTHERS = (RunStatus.LOST, RunStatus.INTERRUPTED)


@dataclass(frozen=True, slots=True)
class Owed:
    """A run that is to be recovered, after `made` attempts. `rule.unless` is empty."""

    run: Run
    rule: Recovery
    made: int


class Recoveries(Component):
    def due(self) -> list[Owed]:
        """Those whose time has come; the longest overdue first."""

        def work(connection: sa.Connection) -> list[Owed]:
            return [
                Owed(run, _rule(row), row.made)
                for row in connection.execute(_DUE, {"now": self._clock()}).all()
                for run in runs_of(connection.execute(RUN_BY_ID, {"run_id": row.run_id}))
            ]

        return self._database.read(work)

    def put_off(self, owed: Owed, made: int) -> bool:
        """Until the pause after so many attempts is over. False if another process did it."""
        asked = {
            "of_seq": owed.run.seq,
            "seen": owed.made,
            "now_made": made,
            "at": self._clock() + _pause_ms(owed.rule, made),
        }
        return bool(self._database.write(lambda c: c.execute(_PUT_OFF, asked).rowcount))

    def forget(self, run: Run) -> None:
        self._database.write(lambda c: c.execute(_FORGET, {"of_seq": run.seq}))


def keep_recovery(connection: sa.Connection, ended: Run, rule: Recovery | None, at: Millis) -> None:
    """Record that a run which has just ended is to be recovered, or how a recovery has ended."""
    if rule is not None:
        row = {
            "run_seq": ended.seq,
            "run_id": ended.id,
            "ref": rule.ref,
            "attempts": rule.attempts,
            "backoff_ms": round(rule.backoff_s * 1000),
            "made": 0,
            "due_at": at,
        }
        connection.execute(_INSERT, row)
    if ended.relation is Relation.RECOVERY:
        _note_attempt(connection, ended, at)


def _note_attempt(connection: sa.Connection, ended: Run, at: Millis) -> None:
    """One that a crash or a shutdown ended is repeated at once."""
    row = connection.execute(_OF_RUN, {"of_run": ended.related_id}).first()
    if row is None:
        return
    if ended.status in (RunStatus.SUCCEEDED, RunStatus.CANCELLED):
        connection.execute(_FORGET, {"of_seq": row.run_seq})
        return
    pause = 0 if ended.status in _ENDED_BY_OTHERS else _pause_ms(_rule(row), row.made)
    asked = {"of_seq": row.run_seq, "seen": row.made, "now_made": row.made, "at": at + pause}
    connection.execute(_PUT_OFF, asked)


def _rule(row: sa.Row[tuple[object, ...]]) -> Recovery:
    return Recovery(row.ref, attempts=row.attempts, backoff_s=row.backoff_ms / 1000)


def _pause_ms(rule: Recovery, made: int) -> int:
    return round(rule.pause_s(made) * 1000)
