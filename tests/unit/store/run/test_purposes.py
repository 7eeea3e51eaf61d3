"""Runs for the choices of forms: stored like others, and kept apart from them."""

import pytest

from runbook.core.run import Purpose, RunTree
from runbook.core.status import RunStatus
from runbook.errors import QueueFullError
from runbook.store.models import RunFilter, Visibility

CHOICES = Purpose.CHOICES


def ids(store, **wanted):
    return [run.id for run in store.runs.page(RunFilter(**wanted)).runs]


def test_lists_leave_them_out_unless_asked(helper, store):
    ordinary = helper.ended()
    own = helper.ended(purpose=CHOICES)
    active = helper.queued(purpose=CHOICES)
    assert store.runs.get(own.id).request.purpose is CHOICES
    some = Visibility(frozenset({ordinary.ref}), "ada")
    for visible in ({}, {"visible": some}):
        assert ids(store, **visible) == [ordinary.id]
        assert ids(store, subject="ada", **visible) == [ordinary.id]
        assert ids(store, refs=frozenset({ordinary.ref}), **visible) == [ordinary.id]
        assert ids(store, purpose=CHOICES, **visible) == [active.id, own.id]
    succeeded = frozenset({RunStatus.SUCCEEDED})
    assert ids(store, statuses=succeeded) == [ordinary.id]
    assert ids(store, statuses=succeeded, purpose=CHOICES) == [own.id]
    assert ids(store, active=True) == []


def test_those_that_are_named_are_there(helper, store):
    own = helper.running(purpose=CHOICES)
    called = helper.queued(purpose=CHOICES, tree=RunTree(("a", "b"), own.id, own.id))
    assert ids(store, ids=frozenset({own.id})) == [own.id]
    assert ids(store, root_id=own.id) == [called.id, own.id]
    assert ids(store, parent_id=own.id) == [called.id]


def test_live_lists_queues_and_last_runs_do_without_them(helper, store):
    helper.queued(purpose=CHOICES)
    helper.ended(purpose=CHOICES)
    assert store.runs.activity().active == ()
    assert store.runs.queue_stats().queued == 0
    assert store.runbooks.last_runs().rows == ()


def test_each_kind_has_its_own_slots(helper, store):
    own, ordinary = helper.queued(purpose=CHOICES), helper.queued()
    claim = store.runs.claim
    assert claim("w", root_slots=0, form_slots=0) is None
    assert claim("w", root_slots=1).run.id == ordinary.id
    assert claim("w", root_slots=1) is None
    assert claim("w", root_slots=0, form_slots=1).run.id == own.id


def test_a_cancelled_one_needs_no_slot(helper, store):
    own = helper.queued(purpose=CHOICES)
    store.runs.request_cancel(own.id, "ada")
    assert store.runs.claim("w", root_slots=0).run.id == own.id


def test_each_kind_has_its_own_queue(helper):
    helper.submit(max_queued=1)
    helper.submit(helper.new(purpose=CHOICES), max_queued=1)
    for purpose in (None, CHOICES):
        with pytest.raises(QueueFullError):
            helper.submit(helper.new(purpose=purpose), max_queued=1)
