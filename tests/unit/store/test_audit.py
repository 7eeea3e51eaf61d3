"""The audit trail in the database: in order, without gaps, also from many threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from runbook.core.audit import (
    Actor,
    AuditAction,
    AuditFault,
    NewAuditEvent,
    Target,
    TargetKind,
)
from runbook.core.run import Origin
from runbook.store.audit import REFUSALS_PER_MINUTE
from runbook.store.models import AuditFilter


def new(subject="ada", action=AuditAction.RUN_CANCEL, target="run-1", **details):
    actor = Actor(subject, Origin.API, "192.0.2.1")
    return NewAuditEvent(actor, action, Target(TargetKind.RUN, target), details)


def test_events_come_back_as_they_were_recorded(store, clock):
    recorded = store.audit.record(new(reason="wrong host"))
    (found,) = store.audit.page().events
    assert found == recorded
    assert (found.n, found.at, found.details) == (1, clock.now, {"reason": "wrong host"})


def test_pages_are_newest_first_and_hold_still(store):
    for n in range(5):
        store.audit.record(new(target=f"run-{n}"))
    first = store.audit.page(limit=2)
    store.audit.record(new(target="run-later"))
    second = store.audit.page(cursor=first.next_cursor, limit=2)
    assert [event.n for event in first.events + second.events] == [5, 4, 3, 2]
    assert store.audit.page(cursor=second.next_cursor, limit=2).next_cursor is None


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"subject": "bob"}, [2]),
        ({"action": "run.undo"}, [3]),
        ({"target": "run-9"}, [4]),
        ({"since": 1_700_000_002_000}, [4, 3]),
        ({"until": 1_700_000_001_000}, [1]),
        ({"subject": "ada", "action": "run.cancel"}, [4, 1]),
    ],
)
def test_filters(store, clock, wanted, numbers):
    recorded = (
        new(),
        new(subject="bob"),
        new(action=AuditAction.RUN_UNDO),
        new(target="run-9"),
    )
    for event in recorded:
        store.audit.record(event)
        clock.now += 1000
    assert [event.n for event in store.audit.page(AuditFilter(**wanted)).events] == numbers


def test_threads_make_one_chain(store):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.audit.record(new(target=f"run-{n}")), range(200)))
    found = store.audit.verify()
    assert (found.ok, found.events) == (True, 200)


def test_a_changed_row_is_noticed(store):
    for _ in range(3):
        store.audit.record(new())
    store._database.write(
        lambda c: c.execute(sa.text("UPDATE audit SET subject = 'eve' WHERE n = 2"))
    )
    assert [(p.n, p.fault) for p in store.audit.verify().problems] == [(2, AuditFault.CHANGED)]


def test_a_row_before_the_first_is_noticed(store):
    forged = store.audit.record(new())
    for n in (0, -7):
        row = {"n": n, "details": "{}", "at": forged.at, "digest": forged.previous}
        store._database.write(
            lambda c, row=row: c.execute(
                sa.text(
                    "INSERT INTO audit (n, at, subject, action, target_kind, target, details,"
                    " previous, digest) VALUES (:n, :at, 'eve', 'run.undo', 'run', 'run-1',"
                    " :details, :digest, :digest)"
                ),
                row,
            )
        )
        assert not store.audit.verify().ok


def test_a_purged_trail_verifies_and_says_what_went(store, clock):
    for _ in range(3):
        store.audit.record(new())
        clock.now += 1000
    assert store.audit.purge(clock.now - 1000) == 2
    assert store.audit.verify().ok
    purge = store.audit.last(AuditAction.AUDIT_PURGE, "audit")
    assert (purge.n, purge.details["last_n"]) == (4, 2)
    clock.now += 10_000
    store.audit.record(new())
    assert store.audit.purge(clock.now - 5_000) == 2
    assert store.audit.verify().ok
    assert store.audit.purge(0) == 0


def test_a_purge_ends_before_the_first_event_to_be_kept(store, clock):
    """A clock that was wrong for a moment, as before its first synchronization."""
    now = clock.now
    for at in (now - 9000, now, 0, now):
        clock.now = at
        store.audit.record(new())
    assert store.audit.purge(now - 1000) == 1
    assert [event.n for event in store.audit.page().events] == [5, 4, 3, 2]
    assert store.audit.verify().ok


def test_events_with_a_future_time_hold_back_no_purge(store, clock):
    now = clock.now
    for at in (now + 10**9, now - 9000, now + 10**9, now):
        clock.now = at
        store.audit.record(new())
    assert store.audit.purge(now - 1000) == 2
    assert store.audit.verify().ok


def test_refusals_of_one_subject_are_bounded(store, clock):
    refused = new(action=AuditAction.ACCESS_REFUSED)
    recorded = [store.audit.record_refusal(refused) for _ in range(REFUSALS_PER_MINUTE + 5)]
    assert sum(recorded) == REFUSALS_PER_MINUTE
    assert store.audit.record_refusal(new(subject="bob", action=AuditAction.ACCESS_REFUSED))
    clock.now += 60_001
    assert store.audit.record_refusal(refused)


def test_text_that_no_database_takes_is_made_storable(store):
    store.audit.record(new(subject="a\ud800b", target="\udfff"))
    assert store.audit.verify().ok
    assert store.audit.page().events[0].subject == "a?b"
