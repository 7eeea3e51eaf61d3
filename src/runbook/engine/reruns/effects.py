"""The changes of earlier attempts, which a later attempt must look for before it repeats them."""

from __future__ import annotations

from runbook.core.document import Runbook
from runbook.core.effects import Effect, touched_steps
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.store.store import Store


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
