"""Why a run waits: how it is stored and told."""

import pytest

from runbook.core.waiting import LockWait, WaitKind, read_wait, stored_wait

WAIT = LockWait("host:a", "run-1", "Job.md", "ada", 1_700_000_000_000)


def test_a_reason_is_stored_with_its_kind():
    assert stored_wait(WAIT)["kind"] == "lock"
    assert read_wait(stored_wait(WAIT)) == WAIT


def test_a_reason_without_a_kind_is_a_lock():
    stored = stored_wait(WAIT)
    del stored["kind"]
    assert read_wait(stored) == WAIT


def test_an_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="moon"):
        read_wait(stored_wait(WAIT) | {"kind": "moon"})


def test_the_event_names_the_kind_and_the_code():
    data = WAIT.event_data
    assert (data["kind"], data["code"]) == (WaitKind.LOCK, "lock_held")
    assert data["params"] == WAIT.params
    assert data["params"]["lock"] == data["lock"] == "host:a"


def test_the_text_names_who_holds_the_lock_and_since_when():
    since = WAIT.params["since"]
    assert since == "2023-11-14T22:13:20.000Z"
    assert WAIT.text == f"Lock host:a is held by run run-1 of Job.md, started by ada since {since}"
    assert WAIT.event_data["reason"] == WAIT.text.replace("Lock", "waits for lock").replace(
        " is held", ", held"
    )
