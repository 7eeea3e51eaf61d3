"""What comes next in a transaction, from what its devices say."""

import sys

import pytest

from mikrotik.site import TOOLKIT


@pytest.fixture
def deciding(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLKIT / "lib"))
    from mikrotik_toolkit.transaction import deciding

    yield deciding
    for name in [name for name in sys.modules if name.startswith("mikrotik_toolkit")]:
        del sys.modules[name]


# With 2 at once, 1 s each and a margin of 20 s: three devices need 5 s, and 25 s with the margin.
@pytest.mark.parametrize(
    ("answers", "act", "reason", "devices"),
    [
        ("armed 60, armed 60, armed 60", "confirm", "", ""),
        ("armed 60, armed 60, armed 24", "go back", "too_late", "c"),
        ("armed 60, away 60, armed 60", "wait", "cut_off", "b"),
        ("armed 60, away 24, armed 60", "go back", "cut_off", "b"),
        ("armed 24, away 60, armed 60", "go back", "cut_off", "b"),
        ("armed 60, reverted 0, armed 60", "go back", "reverted_meanwhile", "b"),
        # Some are confirmed: the margin may be used up for the others.
        ("confirmed 0, armed 24, armed 24", "confirm", "", ""),
        ("confirmed 0, armed 3, armed 24", "go back", "too_late", "b"),
        ("confirmed 0, confirmed 0, away 5", "wait", "cut_off", "c"),
        ("confirmed 0, confirmed 0, away 3", "go back", "cut_off", "c"),
        ("confirmed 0, confirmed 0, reverted 0", "go back", "reverted_meanwhile", "c"),
        ("confirmed 0, away 60, reverted 0", "go back", "reverted_meanwhile", "c"),
        ("confirmed 0, confirmed 0, confirmed 0", "finish", "", ""),
        ("reverted 0, reverted 0, reverted 0", "go back", "reverted_meanwhile", "abc"),
    ],
)
def test_what_comes_next(deciding, answers, act, reason, devices):
    said = [
        deciding.Answer(device, deciding.Stand(stand), float(left))
        for device, (stand, left) in zip("abc", map(str.split, answers.split(",")))
    ]
    found = deciding.next_act(said, 2, 1.0, 20.0)
    assert (found.act, found.reason, "".join(found.devices)) == (act, reason, devices)


def test_the_time_that_reverts_need_grows_with_the_devices_and_shrinks_with_those_at_once(deciding):
    assert deciding.needed_s(50, 10, 2.0, 30.0) == 4 * 5 * 2 + 3 + 30
    assert deciding.needed_s(51, 10, 2.0, 30.0) == 4 * 6 * 2 + 3 + 30
    assert deciding.needed_s(50, 50, 2.0, 30.0) == 4 * 2 + 3 + 30


def test_a_decision_is_never_turned_from_going_back(deciding, tmp_path, monkeypatch):
    from mikrotik_toolkit.transaction import record
    from mikrotik_toolkit.transaction.record import Decision

    monkeypatch.setenv("RUNBOOK_BACKUPS", str(tmp_path))
    begun = record.begin(record.Transaction("run-1", "x", ("a", "b"), 2, 1.0, 5.0))
    assert begun.decide(Decision.COMMITTED).decision is Decision.OPEN
    assert begun.decide(Decision.COMMIT).decision is Decision.COMMIT
    gone = begun.decide(Decision.BACK, "late")  # from an older view of it, too
    assert (gone.decision, gone.reason) == (Decision.BACK, "late")
    assert begun.decide(Decision.COMMIT) == gone.decide(Decision.COMMITTED) == gone
    assert record.load("run-1") == gone
