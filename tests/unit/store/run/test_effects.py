import dataclasses

import pytest

from runbook.core.effects import Effect
from runbook.errors import ConflictError, NotFoundError
from runbook.script.limits import EffectState

PROBE = {"vmid": 104, "deep": [{"ü": None}]}


def effect(run, n=1, **changes):
    made = Effect(run.id, n, "guest", "create vm 104", PROBE, EffectState.INTENDED, 1000, 2, "Make")
    return dataclasses.replace(made, **changes)


def test_changes_are_kept_as_they_are_in_their_order(store, helper):
    run = helper.running()
    for n in (1, 2):
        store.effects.intend(effect(run, n), worker_id="w")
    assert store.effects.of(run.id) == [effect(run, 1), effect(run, 2)]
    assert store.effects.of("unknown") == []


def test_what_became_of_a_change_is_said_by_its_run_or_a_later_one(store, helper, clock):
    run = helper.running()
    store.effects.intend(effect(run), worker_id="w")
    settle = store.effects.settle
    settle(f"{run.id}/1", EffectState.DONE, {"node": "a"}, by_run=run.id, worker_id="w")
    helper.finish(run.id)
    later = helper.running(worker="v")
    settle(f"{run.id}/1", EffectState.UNDONE, {"node": "a"}, by_run=later.id, worker_id="v")
    (found,) = store.effects.of(run.id)
    assert (found.state, found.outcome) == (EffectState.UNDONE, {"node": "a"})
    assert (found.settled_by, found.settled_at) == (later.id, clock.now)


def test_only_the_worker_of_a_running_run_records_changes(store, helper):
    run = helper.running()
    with pytest.raises(ConflictError):
        store.effects.intend(effect(run), worker_id="other")
    helper.finish(run.id)
    with pytest.raises(ConflictError):
        store.effects.intend(effect(run), worker_id="w")
    with pytest.raises(ConflictError):
        store.effects.settle(f"{run.id}/1", EffectState.DONE, {}, by_run=run.id, worker_id="w")
    assert store.effects.of(run.id) == []


@pytest.mark.parametrize("effect_id", ["{}/2", "{}", "{}/0", "nobody/1"])
def test_a_change_that_nobody_made_can_not_be_settled(store, helper, effect_id):
    run = helper.running()
    store.effects.intend(effect(run), worker_id="w")
    with pytest.raises(NotFoundError):
        state, found = EffectState.DONE, effect_id.format(run.id)
        store.effects.settle(found, state, {}, by_run=run.id, worker_id="w")


def test_changes_are_deleted_with_their_run(store, helper, clock):
    run = helper.running()
    store.effects.intend(effect(run), worker_id="w")
    helper.finish(run.id)
    clock.now += 1000
    store.maintenance.purge(before=clock.now + 1)
    assert store.runs.get(run.id) is None
    assert store.effects.of(run.id) == []
