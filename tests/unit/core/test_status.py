from runbook.core.status import ACTIVE, TRANSITIONS, RunStatus, StepStatus


def test_every_status_is_active_or_an_end():
    assert all(status.terminal is (status not in ACTIVE) for status in RunStatus)


def test_what_follows_a_status_is_never_a_birth():
    following = set().union(*TRANSITIONS.values())
    assert not following & {RunStatus.REFUSED, RunStatus.INVALID}


def test_only_what_ran_to_its_end_is_completed():
    assert {status for status in StepStatus if status.completed} == {
        StepStatus.SUCCEEDED,
        StepStatus.RESTORED,
    }
