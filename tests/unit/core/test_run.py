from __future__ import annotations

import pytest

from runbook.core.run import (
    Origin,
    Requester,
    Run,
    RunbookVersion,
    RunRequest,
    RunTimes,
    RunTree,
)
from runbook.core.status import ACTIVE, TERMINAL, TRANSITIONS, RunStatus, StepStatus
from runbook.core.times import iso

AT = 1_769_178_782_123


def test_times_have_milliseconds_and_a_z():
    assert iso(AT) == "2026-01-23T14:33:02.123Z"
    assert iso(5) == "1970-01-01T00:00:00.005Z"


def test_every_status_is_active_or_an_end():
    assert set(RunStatus) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL
    assert all(status.terminal is (status in TERMINAL) for status in RunStatus)


def test_what_follows_a_status_is_never_a_birth():
    following = set().union(*TRANSITIONS.values())
    assert not following & {RunStatus.REFUSED, RunStatus.INVALID}


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({}, []),
        ({"roles": " sre, ,dev "}, ["sre", "dev"]),
        ({"roles": ["sre", 7]}, ["sre", "7"]),
        ({"roles": {"sre": True}}, []),
    ],
)
def test_roles_are_a_list_or_text_with_commas(claims, roles):
    assert Requester("ann", Origin.API, claims).roles == roles


def test_only_what_ran_to_its_end_is_completed():
    assert {status for status in StepStatus if status.completed} == {
        StepStatus.SUCCEEDED,
        StepStatus.RESTORED,
    }


@pytest.mark.parametrize("status", RunStatus)
def test_only_one_status_is_a_success(status):
    run = Run(
        "r",
        RunbookVersion("R.md", "R", "d"),
        status,
        Requester("ann", Origin.API),
        "c",
        RunTree(("R.md",)),
        RunTimes(AT),
    )
    assert run.success is (status is RunStatus.SUCCEEDED)


@pytest.mark.parametrize(
    ("started", "elapsed"), [(None, 900_000), (100_000, 60_000), (899_000, 1_000), (950_000, 0)]
)
def test_an_unmeasured_duration_is_within_the_time_limit(started, elapsed):
    run = Run(
        id="r",
        runbook=RunbookVersion("a.md", "A", "d"),
        status=RunStatus.RUNNING,
        requester=Requester("ann", Origin.API),
        correlation_id="c",
        tree=RunTree(("a.md",)),
        times=RunTimes(created_at=0, started_at=started),
        request=RunRequest(timeout_s=60.0),
    )
    assert run.elapsed_ms(900_000) == elapsed
