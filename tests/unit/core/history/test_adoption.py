"""Adoptions: what the chain didn't cover becomes part of it, as what it is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import RECORD
from runbook.core.history.adoption import (
    AdoptionRecord,
    ChainFinding,
    find_adoption,
    find_item,
    item_ending,
    read_adoption,
    render_adoption,
)
from runbook.core.history.backwards import Backward
from runbook.core.history.chain import Link, chain_end, iter_entries, last_link
from runbook.core.history.entry import last_digest, render, sha256
from runbook.core.history.line_ends import crlf
from runbook.core.history.verification import verify
from runbook.core.run import Origin

LEGACY = b"\nold text\n"
WHY = AdoptionRecord(at=1769178782123, who="eve", origin=Origin.CLI, reason="two branches merged")
hostile = st.text(st.sampled_from("ab `\n\r*<>!-\\|é\u202e\x00"), max_size=20)
findings = st.lists(
    st.builds(
        ChainFinding,
        st.sampled_from(["foreign", "changed", "legacy_changed"]),
        st.integers(0, 10**9),
        st.binary().map(sha256),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
records = st.builds(
    AdoptionRecord,
    at=st.integers(0, 4_000_000_000_000),
    who=hostile,
    origin=st.sampled_from(Origin),
    reason=hostile,
    roles=st.lists(hostile, max_size=2).map(tuple),
    findings=findings,
)


def chain(count, legacy=LEGACY):
    parts, previous = [legacy], sha256(legacy)
    for n in range(1, count + 1):
        parts.append(render(replace(RECORD, run_id=f"run-{n}"), n=n, previous=previous))
        previous = last_digest(parts[-1])
    return parts


def adopted(history, head=None):
    """The history with an adoption of all its problems."""
    found = verify(history, head=head)
    tip = found.tip or Link(0, sha256(history))
    record = replace(WHY, findings=found.findings)
    return history + render_adoption(record, n=tip.n + 1, previous=tip.digest)


def continued(history):
    """The history with another run's entry."""
    link = chain_end(history).link
    return history + render(replace(RECORD, run_id="next"), n=link.n + 1, previous=link.digest)


def codes(found):
    return [(problem.code.value, problem.entry) for problem in found.problems]


def adopted_codes(found):
    return [(one.problem.code.value, one.problem.entry) for one in found.adopted]


@given(records, st.integers(1, 10**9))
def test_what_is_rendered_is_read_back_exactly(record, n):
    for convert in (bytes, crlf):
        data = convert(render_adoption(record, n=n, previous=sha256(b"")))
        found = find_adoption(b"before" + data + b"after", 6)
        assert found is not None
        assert (found.end, found.n, found.intact) == (6 + len(data), n, True)
        assert read_adoption(b"before" + data, found) == record


def test_an_adoption_reads_as_documented():
    finding = ChainFinding("foreign", 12, sha256(b"x"))
    text = render_adoption(replace(WHY, findings=(finding,)), n=13, previous=sha256(b"")).decode()
    assert text.startswith(
        "\n### 2026-01-23T14:33:02.123Z | Adopted\n"
        "\nBy `eve` via cli: `two branches merged`\n"
        f"\n- foreign, entry 12: `{sha256(b'x')}`\n"
        f"\n<!-- runbook-entry v=1 n=13 adopted=1 previous={sha256(b'')} digest="
    )


def test_an_adoption_of_nothing_is_refused():
    with pytest.raises(ValueError, match="findings"):
        render_adoption(WHY, n=1, previous=sha256(b""))


FAULTS = {
    "foreign": (lambda p: [*p[:4], b"a note\n", *p[4:]], [("foreign", 3)]),
    "foreign at the end": (lambda p: [*p, b"a note\n"], [("foreign", 5)]),
    "changed": (lambda p: [*p[:3], p[3].replace(b"ada", b"eve"), *p[4:]], [("changed", 3)]),
    "torn at the end": (lambda p: [*p, p[5][:150] + b"\n"], [("changed", 6)]),
    "gap": (lambda p: [*p[:3], *p[5:]], [("missing", 3)]),
    "beginning": (lambda p: p[3:], [("missing", 1)]),
    "order": (lambda p: [*p, p[2]], [("order", 2)]),
    "legacy": (lambda p: [b"\nnew text\n", *p[1:]], [("legacy_changed", 1)]),
    "another chain": (
        lambda p: [*p, *chain(2, b"other")[1:]],
        [("order", 1)],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("convert", [bytes, crlf])
def test_an_adopted_problem_is_reported_as_adopted_and_the_chain_goes_on(fault, convert):
    change, expected = FAULTS[fault]
    history = b"".join(change(chain(5)))
    assert codes(verify(history)) == expected

    history = convert(continued(adopted(history)))

    found = verify(history, head=(last_link(history).n, last_link(history).digest))
    assert codes(found) == []
    assert adopted_codes(found) == expected
    assert {one.record.reason for one in found.adopted} == {WHY.reason}
    assert len(found.adoptions) == 1


@pytest.mark.parametrize("fault", ["foreign", "changed", "gap", "order"])
def test_an_adoption_does_not_cover_later_changes(fault):
    change, expected = FAULTS[fault]
    parts = change(chain(5))
    history = adopted(b"".join(parts))

    for target, by in ((b"a note", b"a n0te"), (b"By `eve` via api", b"By `bob` via api")):
        if target in history:
            assert codes(verify(history.replace(target, by))) == expected
    assert codes(verify(history.replace(b"two branches", b"no branches")))[0] in expected
    assert ("foreign", 6) in codes(verify(history + b"more\n")) or fault in ("gap", "order")


def test_a_wider_gap_is_another_gap():
    parts = chain(6)
    history = adopted(b"".join([*parts[:3], *parts[4:]]))
    assert codes(verify(history.replace(parts[4], b""))) == [("missing", 3)]


def test_entries_that_are_missing_at_the_end_are_adopted():
    parts = chain(5)
    head = (5, last_digest(parts[5]))
    history = adopted(b"".join(parts[:4]), head)

    found = verify(history, head=head)  # also before the database knows
    assert (codes(found), [code for code, _ in adopted_codes(found)]) == ([], ["cut"])
    assert last_link(history).n == 4
    assert codes(verify(history, head=(9, sha256(b"")))) == [("cut", 5)]
    assert codes(verify(continued(history), head=head)) == []


def test_a_history_without_entries_can_adopt_what_is_missing():
    history = adopted(LEGACY, (5, sha256(b"")))
    assert (last_link(history).n, codes(verify(history))) == (1, [])


def test_a_second_adoption_takes_only_what_is_new():
    history = adopted(b"".join(chain(3)) + b"first\n")
    history = adopted(history + b"second\n")

    found = verify(history)
    assert codes(found) == []
    assert [one.n for one in found.adopted] == [4, 5]
    assert [item.n for item in found.adoptions] == [4, 5]


def test_a_forged_adoption_inside_output_adopts_nothing():
    finding = ChainFinding("changed", 1, sha256(b""))
    forged = render_adoption(replace(WHY, findings=(finding,)), n=2, previous=sha256(b""))
    entry = render(replace(RECORD, stdout=forged.decode()), n=1, previous=sha256(LEGACY))
    found = verify(LEGACY + entry)
    assert (codes(found), found.adoptions) == ([], ())


def test_adoptions_are_no_runs():
    history = adopted(b"".join(chain(2)) + b"note\n")
    assert [entry.n for entry in iter_entries(history)] == [1, 2]
    assert verify(history).entries == 2


def test_backwards_finds_adoptions_between_entries():
    history = continued(adopted(b"".join(chain(2)) + b"note\n"))
    back = Backward(lambda at, size: history[at : at + size], len(history))
    found = [(one.entry.n, one.sound, isinstance(back.record(one), AdoptionRecord)) for one in back]
    assert found == [(4, True, False), (3, True, True), (2, True, False), (1, True, False)]


def test_a_changed_adoption_is_a_changed_entry():
    history = adopted(b"".join(chain(2)) + b"note\n").replace(b"By `eve`", b"By `bob`")
    assert codes(verify(history)) == [("changed", 3)]
    assert find_item(history, history.rindex(b"\n### ")).intact is False


def test_where_no_adoption_begins_there_is_no_record():
    data = adopted(b"".join(chain(2)) + b"a note\n")
    adoption = item_ending(data, len(data))
    assert read_adoption(data, adoption).reason == WHY.reason
    with pytest.raises(ValueError, match="no adoption starts here"):
        read_adoption(b"x" + data, adoption)


def test_an_entry_is_found_at_its_end_below_headings_in_its_output():
    stdout = "\n### Result\nfine\n### 2026-01-23T14:33:02.123Z | Exit Code: 0\n\nnot an entry\n"
    entry = render(replace(RECORD, stdout=stdout), n=1, previous=sha256(b""))
    data = LEGACY + entry
    found = item_ending(data, len(data))
    assert (found.start, found.run_id) == (len(LEGACY), "run-1")
    assert item_ending(data, len(data) - 1) is None
    assert item_ending(LEGACY, len(LEGACY)) is None
