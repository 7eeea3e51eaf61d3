"""Reruns and cancellations of one run at the same moment: the first gets it."""

import dataclasses
import itertools
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from runbook.core.audit import Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.run import Origin, Relation, RerunOf
from runbook.core.status import RunStatus
from runbook.errors import AlreadyRerunError, NotFoundError, RunEndedError
from runbook.store.models import AuditFilter, RerunClaim

PAIRS = list(itertools.product([Relation.RESUME, Relation.UNDO], repeat=2))
LATER = 10**14


def rerun(helper, run, relation, seen=(), ended=True, **changes):
    new = dataclasses.replace(
        helper.new(**changes),
        rerun_of=RerunOf(relation, run.id),
        rerun_claim=RerunClaim(run.id, frozenset(seen), ended),
    )
    return helper.submit(new)


def at_once(*calls):
    """The results of calls that begin together; what they raise is one."""
    barrier = Barrier(len(calls))

    def call(function):
        barrier.wait()
        try:
            return function()
        except AlreadyRerunError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


@pytest.mark.parametrize("relations", PAIRS * 5)
def test_of_two_reruns_at_once_the_store_takes_one(helper, store, relations):
    run = helper.ended(RunStatus.FAILED)
    results = at_once(*(lambda r=relation: rerun(helper, run, r) for relation in relations))
    (lost,) = [one for one in results if isinstance(one, AlreadyRerunError)]
    (won,) = [one for one in results if one is not lost]
    assert lost.details["run_id"] == won.id
    assert [one.id for one in store.runs.reruns(run.id)] == [won.id]


def test_a_rerun_that_was_taken_into_account_is_in_nobodys_way(helper):
    run = helper.ended(RunStatus.FAILED)
    first = rerun(helper, run, Relation.UNDO)
    assert rerun(helper, run, Relation.UNDO, seen=[first.id]).related_id == run.id
    with pytest.raises(AlreadyRerunError):
        rerun(helper, run, Relation.RESUME, seen=[first.id])


def test_dry_runs_and_retries_exclude_nothing(helper):
    run = helper.ended(RunStatus.FAILED)
    rerun(helper, run, Relation.UNDO, dry_run=True)
    helper.submit(dataclasses.replace(helper.new(), rerun_of=RerunOf(Relation.RETRY, run.id)))
    assert rerun(helper, run, Relation.UNDO).related_id == run.id
    assert rerun(helper, run, Relation.UNDO, dry_run=True).related_id == run.id


def test_an_automatic_undo_comes_before_the_end_of_its_run(helper):
    with pytest.raises(RunEndedError):
        rerun(helper, helper.ended(RunStatus.LOST), Relation.UNDO, ended=False)


def test_a_run_is_not_rerun_once_it_is_deleted_and_not_deleted_while_it_is_rerun(helper, store):
    kept, gone = helper.ended(RunStatus.FAILED), helper.ended(RunStatus.FAILED)
    undo = rerun(helper, kept, Relation.UNDO)
    assert store.maintenance.purge(LATER).runs == 1
    assert store.runs.get(kept.id) is not None
    with pytest.raises(NotFoundError):
        rerun(helper, gone, Relation.UNDO)
    helper.finish(undo.id, RunStatus.LOST)
    assert store.maintenance.purge(LATER).runs == 2


def test_no_run_is_called_by_one_that_has_ended(helper):
    parent = helper.ended()
    with pytest.raises(RunEndedError):
        helper.queued(parent_id=parent.id, root_id=parent.id)


@pytest.mark.parametrize("_again", range(20))
def test_of_two_requests_to_cancel_the_first_counts(helper, store, _again):
    run = helper.queued()

    def cancel(subject):
        target = Target(TargetKind.RUN, run.id)
        event = NewAuditEvent(Actor(subject, Origin.API, None), AuditAction.RUN_CANCEL, target)
        return store.runs.request_cancel(run.id, subject, event)

    results = at_once(lambda: cancel("ada"), lambda: cancel("bob"))
    assert len({one.cancel for one in results}) == 1
    (event,) = store.audit.page(AuditFilter(target=run.id)).events
    assert event.subject == store.runs.get(run.id).cancel.by
