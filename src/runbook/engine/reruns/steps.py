"""The results of a run's steps, including those of the runs that it resumed, and their changes."""

from __future__ import annotations

from runbook.core.document import Runbook
from runbook.core.effects import Effect, touched_steps
from runbook.core.outcome import StepRun
from runbook.core.reruns import joined, numbered
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus, StepStatus
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


def earlier_effects(store: Store, run: Run) -> tuple[Effect, ...]:
    """The open changes that the scripts of a rerun have to look for, latest first."""
    earlier = _earlier(store, run)
    if earlier is None:
        return ()
    if run.relation is Relation.UNDO:
        return effects_to_undo(store, earlier)
    found: list[Effect] = []
    # A retry of a run that succeeded starts anew: what that run made stays its own.
    while earlier is not None and earlier.status is not RunStatus.SUCCEEDED:
        found += _open(store, earlier)
        earlier = _earlier(store, earlier)
    return tuple(found)


def effects_to_undo(store: Store, run: Run) -> tuple[Effect, ...]:
    """The open changes that an undo of the run reverses: its own, and those of runs it resumed.

    Not those of a run that it retries, unless it has adopted them: then they are its own.
    """
    found = _open(store, run)
    while run.relation is Relation.RESUME and (earlier := _earlier(store, run)) is not None:
        found += _open(store, earlier)
        run = earlier
    return tuple(found)


def touched_by(store: Store, run: Run, runbook: Runbook) -> frozenset[int]:
    """The steps that an undo of the run has to reverse because of their changes."""
    return touched_steps(runbook, effects_to_undo(store, run))


def _earlier(store: Store, run: Run) -> Run | None:
    """The run that this one reruns; None if there is none, or if it was deleted."""
    return None if run.related_id is None else store.runs.get(run.related_id)


def _open(store: Store, run: Run) -> list[Effect]:
    return [effect for effect in reversed(store.effects.of(run.id)) if effect.state.is_open]
