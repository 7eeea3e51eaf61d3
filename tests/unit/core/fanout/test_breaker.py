"""The circuit breaker of a device."""

import pytest

from runbook.core.fanout.breaker import CLOSED, Breaker, after
from runbook.core.status import RunStatus

NOW = 1_700_000_000_000


def failed(times, at=NOW):
    breaker = CLOSED
    for _ in range(times):
        breaker = after(breaker, RunStatus.FAILED, at)
    return breaker


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(4, 0), (5, 30), (6, 60), (7, 120), (8, 240), (9, 480), (10, 900), (11, 900), (5000, 900)],
)
def test_the_pause_doubles_from_30_seconds_to_15_minutes(failures, seconds):
    breaker = failed(failures)
    until = NOW + seconds * 1000
    assert breaker.open_until == (until if seconds else 0)
    assert breaker.is_open(NOW) is bool(seconds)
    assert breaker.is_open(until - 1) is bool(seconds)
    assert not breaker.is_open(until)


def test_a_success_closes_it():
    assert after(failed(9), RunStatus.SUCCEEDED, NOW) == CLOSED
    assert failed(1) == Breaker(1)


def test_a_timeout_counts_and_what_the_device_did_not_cause_does_not():
    assert after(failed(4), RunStatus.TIMED_OUT, NOW).is_open(NOW)
    for status in (RunStatus.LOST, RunStatus.CANCELLED, RunStatus.INVALID, RunStatus.INTERRUPTED):
        assert after(failed(4), status, NOW) == failed(4)


def test_a_clock_that_is_set_back_keeps_nothing_open_forever():
    assert not failed(5).is_open(NOW - 3_600_000)
