"""The chain of audit events: what verification notices."""

import dataclasses
import hashlib
import json

import pytest

from runbook.core.access import Principal, missing_json, permitted
from runbook.core.audit import (
    FIRST_PREVIOUS,
    SYSTEM,
    Actor,
    AuditAction,
    AuditFault,
    AuditProblem,
    NewAuditEvent,
    Target,
    TargetKind,
    audit_json,
    digest_of,
    linked,
    refusal_event,
    run_event,
    verify_events,
)
from runbook.core.permissions import Permission
from runbook.core.run import Origin, Requester, Run, RunbookVersion, RunTimes, RunTree
from runbook.core.status import RunStatus

ADA = Actor("ada", Origin.API, "192.0.2.1")


def chain(length, previous=FIRST_PREVIOUS, first=1):
    events = []
    for n in range(first, first + length):
        new = NewAuditEvent(ADA, AuditAction.RUN_CANCEL, Target(TargetKind.RUN, f"run-{n}"))
        events.append(linked(new, n, 1_700_000_000_000 + n, previous))
        previous = events[-1].digest
    return events


def test_a_whole_chain_verifies():
    events = chain(5)
    found = verify_events(events)
    assert found.ok
    assert (found.events, found.last) == (5, (5, events[-1].digest))


def test_no_events_are_a_whole_chain():
    assert verify_events([]).last is None
    assert verify_events([]).ok


def test_the_digest_can_be_computed_from_the_json_alone():
    shown = audit_json(chain(1)[0])
    digest = shown.pop("digest")
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"))
    assert hashlib.sha256(text.encode()).hexdigest() == digest


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "eve"},
        {"at": 1},
        {"origin": None},
        {"address": "198.51.100.9"},
        {"action": "run.undo"},
        {"target_kind": "key"},
        {"target": "run-9"},
        {"details": {"x": 1}},
        {"previous": "0" * 64},
    ],
)
def test_each_changed_member_is_noticed(change):
    events = chain(3)
    events[1] = dataclasses.replace(events[1], **change)
    assert verify_events(events).problems[0] == AuditProblem(2, AuditFault.CHANGED)


def test_a_changed_event_with_a_new_digest_no_longer_fits_the_next():
    events = chain(3)
    forged = dataclasses.replace(events[1], subject="eve")
    events[1] = dataclasses.replace(forged, digest=digest_of(forged))
    assert verify_events(events).problems == (AuditProblem(3, AuditFault.UNLINKED),)


def test_a_removed_event_is_missing():
    events = chain(4)
    del events[1]
    assert verify_events(events).problems == (AuditProblem(2, AuditFault.MISSING),)


def test_a_removed_beginning_is_missing():
    assert verify_events(chain(4)[2:]).problems == (AuditProblem(2, AuditFault.MISSING),)


def test_a_purge_explains_a_later_beginning():
    events = chain(4)
    purge = NewAuditEvent(
        SYSTEM,
        AuditAction.AUDIT_PURGE,
        Target(TargetKind.STORE, "audit"),
        {"last_n": 2, "last_digest": events[1].digest},
    )
    kept = [*events[2:], linked(purge, 5, 1_700_000_001_000, events[-1].digest)]
    assert verify_events(kept).ok
    assert verify_events(kept[1:]).problems == (AuditProblem(3, AuditFault.MISSING),)


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"last_n": 2},
        {"last_n": [2], "last_digest": "x"},
        {"last_n": "2", "last_digest": "x"},
        {"last_n": 2, "last_digest": 3},
    ],
)
def test_a_purge_that_does_not_say_what_it_removed_explains_nothing(details):
    events = chain(4)
    target = Target(TargetKind.STORE, "audit")
    purge = NewAuditEvent(SYSTEM, AuditAction.AUDIT_PURGE, target, details)
    kept = [*events[2:], linked(purge, 5, 1_700_000_001_000, events[-1].digest)]
    assert verify_events(kept).problems == (AuditProblem(2, AuditFault.MISSING),)


def test_an_action_on_a_run_names_its_runbook_and_who_acted():
    run = Run(
        "run-1",
        RunbookVersion("net/Push.md", "Push", "d"),
        RunStatus.RUNNING,
        Requester("bob", Origin.API),
        "c",
        RunTree(("net/Push.md",)),
        RunTimes(0),
    )
    ada = Principal("ada", Origin.API, address="192.0.2.1")
    event = run_event(AuditAction.RUN_CANCEL, run, ada)
    assert (event.actor, event.action) == (ADA, AuditAction.RUN_CANCEL)
    assert event.target == Target(TargetKind.RUN, "run-1")
    assert event.details == {"runbook": "net/Push.md"}


def test_a_refusal_says_what_was_asked_for_and_what_is_missing():
    ada = Principal("ada", Origin.API, address="192.0.2.1")
    denied = permitted(ada, Permission.RUN_READ, "Job.md")
    event = refusal_event(ada, denied, Target(TargetKind.RUNBOOK, "Job.md"))
    assert (event.actor, event.action) == (ADA, AuditAction.ACCESS_REFUSED)
    assert event.details == {"permission": "run.read", "missing": missing_json(denied)}


def test_many_problems_are_bounded():
    events = [dataclasses.replace(event, subject="eve") for event in chain(100)]
    assert len(verify_events(events).problems) == 20
