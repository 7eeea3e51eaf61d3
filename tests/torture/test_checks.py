"""A check that can't fail proves nothing: each finds what contradicts it."""

from collections import Counter
from dataclasses import replace

import pytest

from torture.checks import Checks
from torture.ledger import Entry, EventCount, Mark, Records, RunRow, StepRow
from torture.watch import Watch


def run_row(seq, ref="Quick.md", status="succeeded", *, relation=None, of=None):
    return RunRow(seq, f"r{seq}", ref, status, 4, 5, 5, relation, of, 0, "[]", sealed=False)


def stepped(seq, steps, *, relation=None, of=None):
    """A run of Steps.md, its rows and its marks."""
    prefix = "undo-" if relation == "undo" else ""
    marks = [
        Mark(f"r{seq}", prefix + step, moment) for step in steps for moment in ("begin", "end")
    ]
    row = run_row(seq, "Steps.md", "failed", relation=relation, of=of)
    return row, [StepRow(f"r{seq}", step, "succeeded") for step in steps], marks


def records(*parts):
    runs, steps, marks = zip(*parts)
    return Records(
        marks=Counter(mark for some in marks for mark in some),
        runs=list(runs),
        steps=[step for some in steps for step in some],
        events={run.seq: EventCount(3, 1, 3, 1) for run in runs},
        entries=[Entry(run.id, run.status) for run in runs],
        shared_locks=[],
        held_locks=[],
        workers=[],
    )


def wrong(found, watch=None):
    findings = Checks(found, watch or Watch()).all()
    return sorted(finding.name for finding in findings if finding.wrong)


def quick():
    return run_row(1), [], [Mark("r1", "-", "begin"), Mark("r1", "-", "end")]


def test_a_sound_record_has_nothing_wrong():
    undone = stepped(4, ["One"], relation="undo", of="r3")
    resumed = stepped(6, ["Two"], relation="resume", of="r5")
    sound = records(quick(), stepped(3, ["One"]), undone, stepped(5, ["One"]), resumed)
    assert wrong(sound) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"finished_at": None}, "runs ended"),
        ({"status": "running"}, "runs ended"),
        ({"created_at": 6}, "durations are plausible"),
        ({"duration_ms": -1}, "durations are plausible"),
        ({"duration_ms": 3_603_052}, "durations are plausible"),
        ({"sealed": True}, "inputs wiped"),
        ({"errors": '[{"code": "run_damaged"}]'}, "damaged runs end, others are unaffected"),
        ({"status": "lost"}, "one history entry per run"),
        ({"id": "r2"}, "scripts started once"),
    ],
)
def test_a_row_that_is_not_sound(change, name):
    found = records(quick())
    found.runs[0] = replace(found.runs[0], **change)
    assert name in wrong(found)


@pytest.mark.parametrize(
    ("member", "value", "name"),
    [
        ("marks", Counter(), "completed steps were executed"),
        ("marks", Counter({Mark("r1", "-", "end"): 2}), "scripts started once"),
        ("events", {}, "events without gaps"),
        ("events", {1: EventCount(3, 1, 4, 1)}, "events without gaps"),
        ("events", {1: EventCount(3, 1, 3, 0)}, "events without gaps"),
        ("entries", [], "one history entry per run"),
        ("entries", [Entry("r1", "succeeded")] * 2, "one history entry per run"),
        ("shared_locks", ["a r1"], "locks never shared"),
        ("held_locks", ["a 1"], "locks free"),
        ("workers", ["local 5"], "no row of a dead worker"),
    ],
)
def test_a_record_that_is_not_sound(member, value, name):
    assert wrong(replace(records(quick()), **{member: value})) == [name]


def test_steps_that_were_repeated_or_undone_twice():
    failed, resume = stepped(1, ["One"]), stepped(2, ["One"], relation="resume", of="r1")
    assert wrong(records(failed, resume)) == ["completed steps weren't repeated"]
    resumes = [stepped(n, ["Two"], relation="resume", of="r1") for n in (2, 3)]
    assert wrong(records(failed, *resumes)) == ["one winner of simultaneous reruns"]
    undos = [stepped(n, ["One"], relation="undo", of="r1") for n in (2, 3)]
    assert wrong(records(failed, *undos)) == ["steps undone once"]
    both = [undos[0], stepped(3, ["Two"], relation="resume", of="r1")]
    assert wrong(records(failed, *both)) == ["one winner of simultaneous reruns"]


def test_what_clients_saw():
    watch = Watch()
    watch.accept("r9")
    watch.accept("r1", "key")
    watch.accept("r1", "other")
    assert wrong(records(quick()), watch) == ["accepted runs exist"]
    watch.accept("r2", "key")
    watch.fault("500")
    assert wrong(records(quick()), watch) == [
        "accepted runs exist",
        "one run per idempotency key",
        "seen during the storm",
    ]


def test_damage_excuses_only_the_damaged_run():
    watch = Watch()
    watch.damage("r1")
    found = replace(records(quick()), entries=[], events={})
    assert wrong(found, watch) == []
    found.runs[0] = replace(found.runs[0], finished_at=None, status="no such status")
    assert wrong(found, watch) == ["damaged runs end, others are unaffected", "runs ended"]
