import dataclasses

import pytest

from runbook.core.outcome import Outcome
from runbook.core.recovery.rule import Recovery
from runbook.core.run import Relation, RerunOf
from runbook.core.status import RunStatus

RULE = Recovery("End.md", attempts=3, backoff_s=60)
LOST = Outcome(RunStatus.LOST, -1, recovery=RULE)


def finish(helper, run, outcome):
    return helper.store.runs.finish(run.id, outcome, [helper.done()]).run


@pytest.fixture
def lost(helper):
    return finish(helper, helper.running(), LOST)


def due(helper):
    return [(owed.run.id, owed.made) for owed in helper.store.recoveries.due()]


def attempt(helper, lost, status):
    (owed,) = helper.store.recoveries.due()
    assert helper.store.recoveries.put_off(owed, owed.made + 1)
    run = helper.running(rerun_of=RerunOf(Relation.RECOVERY, lost.id))
    assert due(helper) == []
    finish(helper, run, Outcome(status, 0))


def test_a_run_is_due_as_soon_as_it_has_ended(helper, lost):
    (owed,) = helper.store.recoveries.due()
    assert (owed.run, owed.rule, owed.made) == (lost, RULE, 0)


def test_only_one_process_makes_an_attempt(helper, lost):
    (owed,) = helper.store.recoveries.due()
    assert helper.store.recoveries.put_off(owed, 1)
    assert not helper.store.recoveries.put_off(owed, 1)
    assert due(helper) == []
    helper.clock.now += 60_000
    assert due(helper) == [(lost.id, 1)]


def test_a_failed_attempt_is_repeated_after_a_pause_that_doubles(helper, lost):
    for n, pause in enumerate((60_000, 120_000)):
        assert due(helper) == [(lost.id, n)]
        attempt(helper, lost, RunStatus.FAILED)
        helper.clock.now += pause - 1
        assert due(helper) == []
        helper.clock.now += 1


@pytest.mark.parametrize("status", [RunStatus.LOST, RunStatus.INTERRUPTED])
def test_an_attempt_that_was_cut_short_is_repeated_at_once(helper, lost, status):
    attempt(helper, lost, status)
    assert due(helper) == [(lost.id, 1)]


@pytest.mark.parametrize("status", [RunStatus.SUCCEEDED, RunStatus.CANCELLED])
def test_a_success_or_a_person_ends_it(helper, lost, status):
    attempt(helper, lost, status)
    helper.clock.now += 86_400_000
    assert due(helper) == []


def test_a_run_that_is_deleted_is_not_recovered(helper, lost):
    helper.store.maintenance.purge(helper.clock.now + 1)
    assert due(helper) == []


def test_the_rule_is_kept_without_its_codes(helper):
    rule = dataclasses.replace(RULE, unless=frozenset({40}))
    finish(helper, helper.running(), dataclasses.replace(LOST, recovery=rule))
    (owed,) = helper.store.recoveries.due()
    assert owed.rule == RULE
