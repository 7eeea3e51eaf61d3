"""The results of a run's steps, including those of the runs that it resumed."""

from __future__ import annotations

from runbook.core.document import Runbook
from runbook.core.outcome import StepRun
from runbook.core.reruns import joined, numbered
from runbook.core.run import Relation, Run
from runbook.core.status import StepStatus
from runbook.store.store import Store


def undone_steps(store: Store, run_id: str, *, but: str = "") -> frozenset[int]:
    """The numbers of the run's steps that undo runs, other than `but`, have reversed.

    Dry runs reverse nothing.
    """
    return frozenset(
        step.n
        for rerun in store.runs.reruns(run_id)
        if rerun.relation is Relation.UNDO and rerun.id != but and not rerun.request.dry_run
        for step in store.steps.of(rerun.id)
        if step.status is StepStatus.SUCCEEDED
    )


def steps_of_all(store: Store, run: Run, runbook: Runbook) -> tuple[StepRun, ...]:
    """The steps of a run, and the completed steps of the runs that it resumed.

    Of the latter, only steps that the run's own document still has.
    """
    line = [run]
    while line[-1].relation is Relation.RESUME:
        earlier = store.runs.get(line[-1].related_id or "")
        if earlier is None:  # deleted meanwhile
            break
        line.append(earlier)
    names = {item.n: item.step.name for item in numbered(runbook)}
    rows: tuple[StepRun, ...] = ()
    for each in reversed(line):
        rows = joined(
            store.steps.of(each.id), [row for row in rows if names.get(row.n) == row.name]
        )
    return rows
