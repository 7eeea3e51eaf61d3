"""The last run of each runbook, and the head of its history."""

from runbook.core.audit import SYSTEM, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.status import RunStatus
from runbook.store.models import HistoryHead


def last(store, ref="a/Runbook.md"):
    return next(row for row in store.runbooks.last_runs().rows if row.ref == ref)


def test_the_last_run_that_ended(helper, store):
    good = helper.ended(RunStatus.SUCCEEDED)
    helper.clock.now += 10
    bad = helper.ended(RunStatus.FAILED)
    row = last(store)
    assert (row.last_run_id, row.last_status) == (bad.id, RunStatus.FAILED)
    assert (row.last_finished_at, row.last_success_at) == (
        bad.times.finished_at,
        good.times.finished_at,
    )
    assert (row.last_by, row.history) == ("ada", None)


def test_a_cache_asks_only_for_what_changed(helper, store):
    assert store.runbooks.last_runs().revision == 0
    helper.ended(ref="one.md")
    helper.ended(ref="two.md")
    first = store.runbooks.last_runs()
    assert [row.ref for row in first.rows] == ["one.md", "two.md"]
    assert store.runbooks.last_runs(first.revision).rows == ()
    assert store.runbooks.last_runs(first.revision).revision == first.revision
    helper.ended(ref="one.md")
    second = store.runbooks.last_runs(first.revision)
    assert [row.ref for row in second.rows] == ["one.md"]
    assert second.revision > first.revision


def test_the_longer_history_stays(helper, store):
    early, late = helper.running(), helper.running()
    helper.finish(late.id, history=HistoryHead(2, "two"))
    helper.finish(early.id, history=HistoryHead(1, "one"))
    row = last(store)
    assert (row.history, row.last_run_id) == (HistoryHead(2, "two"), early.id)
    helper.ended()
    assert last(store).history == HistoryHead(2, "two")


def test_a_refusal_moves_the_history_but_is_not_the_last_run(helper, store):
    run = helper.ended()
    helper.submit(helper.new(status=RunStatus.REFUSED), history=HistoryHead(1, "r"))
    row = last(store)
    assert (row.last_run_id, row.history) == (run.id, HistoryHead(1, "r"))


def test_a_refusal_may_be_all_there_is(helper, store):
    helper.submit(helper.new(status=RunStatus.REFUSED), history=HistoryHead(1, "r"))
    row = last(store)
    assert (row.last_run_id, row.last_status, row.history) == (None, None, HistoryHead(1, "r"))


def test_another_history_can_be_accepted(helper, store):
    run = helper.running()
    helper.finish(run.id, history=HistoryHead(9, "nine"))
    before = store.runbooks.last_runs().revision
    target = Target(TargetKind.RUNBOOK, run.ref)
    event = NewAuditEvent(SYSTEM, AuditAction.HISTORY_ADOPT, target, {"n": 1})
    store.runbooks.reset_history(run.ref, HistoryHead(1, "one"), event)
    assert last(store).history == HistoryHead(1, "one")
    assert store.runbooks.last_runs(before).rows
    assert store.audit.last(AuditAction.HISTORY_ADOPT, run.ref).details == {"n": 1}
    store.runbooks.reset_history(run.ref, None)
    assert last(store).history is None
