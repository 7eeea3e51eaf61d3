"""The changes of earlier attempts, which a later attempt must look for before it repeats them."""

from __future__ import annotations

from runbook.core.document import Runbook
from runbook.core.effects import Effect, touched_steps
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.store.store import Store


def earlier_effects(store: Store, run: Run) -> tuple[Effect, ...]:
    """The open changes of the runs that this one retries, resumes or undoes, latest first.

    A retry of a run that succeeded starts anew: what that run made stays its own.
    """
    found: list[Effect] = []
    current, relation = run, run.relation
    while relation is not None:
        earlier = store.runs.get(current.related_id or "")
        if earlier is None:  # deleted meanwhile
            break
        if earlier.status is RunStatus.SUCCEEDED and relation is Relation.RETRY:
            break
        found += reversed(open_effects(store, earlier))
        current, relation = earlier, earlier.relation
    return tuple(found)


def open_effects(store: Store, run: Run) -> list[Effect]:
    return [effect for effect in store.effects.of(run.id) if effect.state.is_open]


def touched_by(store: Store, run: Run, runbook: Runbook) -> frozenset[int]:
    """The steps with changes that may be in place, of the run or of those that it continues."""
    return touched_steps(runbook, (*open_effects(store, run), *earlier_effects(store, run)))
