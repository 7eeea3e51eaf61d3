"""What a fan-out does next."""

import pytest

from runbook.core.fanout.limits import Limits
from runbook.core.fanout.progress import (
    Counts,
    DeviceState,
    Next,
    StopReason,
    next_starts,
    state_of,
)
from runbook.core.status import RunStatus
from runbook.core.waiting import LockWait


@pytest.mark.parametrize(
    ("limits", "counts", "start"),
    [
        (Limits(3), Counts(pending=5), 3),
        (Limits(3), Counts(pending=5, running=2), 1),
        (Limits(3), Counts(pending=1, running=1), 1),
        (Limits(3), Counts(pending=5, running=4), 0),
        (Limits(3, max_failures=2), Counts(pending=5, failed=1), 3),
        (Limits(9, canary=2), Counts(pending=5), 2),
        (Limits(9, canary=2), Counts(pending=5, running=1, succeeded=1), 0),
        (Limits(9, canary=2), Counts(pending=5, skipped=1, succeeded=1), 1),
        (Limits(9, canary=2), Counts(pending=5, succeeded=2), 5),
        (Limits(1, canary=2), Counts(pending=5), 1),
        (Limits(9, canary=2), Counts(pending=5, succeeded=2, failed=3), 5),
    ],
)
def test_as_many_start_as_the_limits_allow(limits, counts, start):
    assert next_starts(limits, counts) == Next(start)
    assert next_starts(limits, counts, paused=True) == Next(0)


@pytest.mark.parametrize(
    ("limits", "counts", "why"),
    [
        (Limits(3, max_failures=2), Counts(pending=5, failed=2), StopReason.MAX_FAILURES),
        (Limits(3, max_failures=1), Counts(pending=5, failed=3), StopReason.MAX_FAILURES),
        (Limits(3, canary=2), Counts(pending=5, succeeded=1, failed=1), StopReason.CANARY),
    ],
)
def test_too_many_failures_stop_it_once_the_running_ones_have_ended(limits, counts, why):
    assert next_starts(limits, counts) == Next(0, why, over=True)
    assert next_starts(limits, counts, paused=True) == Next(0, why, over=True)
    running = Counts(counts.pending, 1, counts.succeeded, counts.failed)
    assert next_starts(limits, running) == Next(0, why)


def test_it_is_over_when_nothing_is_left():
    limits = Limits(3, max_failures=1)
    assert next_starts(limits, Counts(running=1, succeeded=4)) == Next()
    assert next_starts(limits, Counts(succeeded=3, failed=2)) == Next(over=True)
    assert Counts(1, 2, 3, 4, 5).total == 15


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        (RunStatus.QUEUED, None, DeviceState.RUNNING),
        (RunStatus.WAITING, None, DeviceState.RUNNING),
        (RunStatus.SUCCEEDED, None, DeviceState.SUCCEEDED),
        (RunStatus.FAILED, "other", DeviceState.FAILED),
        (RunStatus.FAILED, LockWait.code, DeviceState.SKIPPED),
        (RunStatus.LOST, None, DeviceState.FAILED),
        (RunStatus.INVALID, "device_not_found", DeviceState.FAILED),
    ],
)
def test_a_device_is_where_its_run_is(status, code, state):
    assert state_of(status, code) is state
