from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.document import Language, Runbook, Script, Step
from runbook.core.outcome import StepRun
from runbook.core.reruns import (
    DIFF_LINES,
    diff_above,
    diff_texts,
    find_step,
    irreversible,
    joined,
    numbered,
    restored,
    restored_steps,
    resume_point,
    undo_steps,
)
from runbook.core.status import StepStatus

DONE, FAILED, RUNNING = StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.RUNNING
SKIPPED, RESTORED = StepStatus.SKIPPED, StepStatus.RESTORED


def step(name: str, *, undo: bool = False, continues: bool = False, line: int = 10) -> Step:
    return Step(
        name,
        Language.ZSH,
        f"do {name}",
        line + 2,
        heading_line=line,
        timeout_s=5.0,
        continues=continues,
        undo=Script(Language.BASH, f"undo {name}", line + 6) if undo else None,
    )


def runbook(*steps: Step) -> Runbook:
    return Runbook("R", "", (), (), (), None, steps)


def row(n: int, status: StepStatus = DONE, **more: object) -> StepRun:
    return StepRun(n, f"s{n}", status, 1, **more)


THREE = runbook(step("a", undo=True), step("b"), step("c", undo=True))


def test_steps_are_numbered_from_one():
    assert [(item.n, item.step.name) for item in numbered(THREE)] == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize(
    ("statuses", "point"),
    [
        ([], 1),
        ([DONE], 2),
        ([DONE, SKIPPED], 3),
        ([SKIPPED, FAILED], 2),
        ([RESTORED, DONE, StepStatus.LOST], 3),
        ([DONE, RUNNING], 2),
        ([DONE, StepStatus.TIMED_OUT], 2),
        ([DONE, DONE, DONE], 4),
        ([DONE, DONE, SKIPPED], 4),
    ],
)
def test_a_run_goes_on_at_the_first_step_that_is_not_done_with(statuses, point):
    rows = [row(n, status) for n, status in enumerate(statuses, start=1)]
    assert resume_point(THREE, rows) == point


@pytest.mark.parametrize(
    ("statuses", "point"),
    [
        ([FAILED, DONE, FAILED], 3),
        ([StepStatus.TIMED_OUT, RUNNING], 2),
        ([FAILED], 1),  # the run ended with it after all
        ([RUNNING], 1),
        ([RUNNING, DONE], 1),
    ],
)
def test_a_failure_after_which_the_run_went_on_is_done_with(statuses, point):
    tolerant = runbook(step("a", continues=True), step("b"), step("c"))
    rows = [row(n, status) for n, status in enumerate(statuses, start=1)]
    assert resume_point(tolerant, rows) == point


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("b", 2),
        ("3", 3),
        ("4", None),
        ("0", None),
        ("-1", None),
        ("02", None),
        ("²", None),
        ("٢", None),
        ("B", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_a_step_is_found_by_its_name_or_number(wanted, number):
    assert find_step(THREE, wanted) == number


def test_a_name_goes_before_a_number():
    assert find_step(runbook(step("2"), step("b")), "2") == 1


def test_the_steps_before_the_start_are_restored_and_span_no_lines():
    rows = [
        row(1, first_line=3, last_line=9, env={"A": "1"}),
        row(2, SKIPPED),
        row(3, FAILED),
        row(4),
    ]

    found = restored_steps(rows, 4)

    assert [(r.n, r.status) for r in found] == [(1, RESTORED), (2, SKIPPED), (3, FAILED)]
    assert (found[0].first_line, found[0].last_line) == (1, 0)
    assert found[0].env == {"A": "1"}


def test_a_step_that_failed_when_it_was_executed_again_stays_completed():
    before = [row(1, env={"A": "1"}), row(2), row(3, FAILED)]
    after = [row(1, FAILED)]

    found = joined(after, before)

    assert [(r.n, r.status) for r in found] == [(1, DONE), (2, DONE)]
    assert found[0].env == {"A": "1"}


def test_what_was_executed_again_replaces_what_was_before():
    before = [row(1, env={"A": "1"}), row(2, FAILED)]
    after = [row(1, RESTORED, env={"A": "1"}), row(2, env={"B": "2"}), row(3, FAILED)]

    assert joined(after, before) == tuple(after)


def test_later_values_replace_earlier_ones_whatever_the_order_of_the_rows():
    rows = [
        row(2, env={"A": "2"}, outputs={"x": "new"}),
        row(1, env={"A": "1", "B": "1"}, outputs={"x": "old", "y": "kept"}),
    ]

    found = restored(rows, {})

    assert found.variables == {"A": "2", "B": "1"}
    assert found.outputs == {"x": "new", "y": "kept"}
    assert found.missing == frozenset()


def test_a_value_that_was_not_kept_is_taken_from_what_is_given():
    rows = [row(1, env={"TOKEN": None, "A": "1"}, outputs={"key": None})]

    assert restored(rows, {}).missing == {"TOKEN", "key"}
    assert restored(rows, {}).variables == {"A": "1"}

    given_again = restored(rows, {"TOKEN": "t", "A": "not asked for"})
    assert given_again.variables == {"TOKEN": "t", "A": "1"}
    assert given_again.missing == {"key"}


def test_a_value_that_a_later_step_replaced_is_not_missing():
    rows = [row(1, env={"A": None}), row(2, env={"A": "shown"})]
    assert restored(rows, {}).missing == frozenset()


def test_completed_steps_are_undone_the_last_one_first():
    rows = [row(1), row(2), row(3, RESTORED)]

    found = undo_steps(THREE, rows)

    assert [(item.n, item.step.name) for item in found] == [(3, "Undo: c"), (1, "Undo: a")]
    script = found[0].step.script
    assert (script.language, script.source, script.line) == (Language.BASH, "undo c", 16)
    assert found[0].step.timeout_s == 5.0
    assert not found[0].step.continues


@pytest.mark.parametrize("status", [FAILED, RUNNING, SKIPPED, StepStatus.LOST])
def test_what_was_not_completed_is_not_undone(status):
    assert [item.n for item in undo_steps(THREE, [row(1), row(3, status)])] == [1]


def test_what_was_undone_is_not_undone_again():
    assert [i.n for i in undo_steps(THREE, [row(1), row(3)], frozenset({3}))] == [1]


def test_completed_steps_without_an_undo_are_named():
    assert [item.n for item in irreversible(THREE, [row(1), row(2)])] == [2]
    assert irreversible(THREE, [row(1), row(2, FAILED)]) == ()


OLD = "# R\nabove\n## a\ndo a\n## b\ndo b\n"
AT_B = step("b", line=5)


def differs(new: str, again: Step | None = AT_B, old: str = OLD) -> str | None:
    return diff_above(old, new, AT_B, again)


@pytest.mark.parametrize(
    "new",
    [
        OLD,
        OLD + "## c\nmore\n",
        OLD.replace("do b", "do b better"),
        OLD.replace("\n", "\r\n"),
        OLD.replace("\n", "\r"),
        "\ufeff" + OLD,
    ],
)
def test_what_stands_below_the_heading_may_be_mended(new):
    assert differs(new) is None


def test_a_change_above_is_shown():
    diff = differs(OLD.replace("do a", "do A"))

    lines = diff.split("\n")
    assert lines[:2] == ["--- as it ran", "+++ as it is now"]
    assert {"-do a", "+do A"} <= set(lines)
    assert not any("do b" in line for line in lines)


def test_a_step_put_before_shows_up_to_the_heading_where_it_is_now():
    new = OLD.replace("## b", "## new\ndo new\n## b")
    diff = differs(new, step("b", line=7))
    assert {"+## new", "+do new", " ## b"} <= set(diff.split("\n"))


def test_a_step_that_is_gone_is_a_change():
    assert "-## b" in differs(OLD.replace("## b", "## c"), None).split("\n")


def test_headings_without_lines_are_taken_for_the_top():
    alone = Step("b", Language.ZSH, "", 3)
    assert diff_above("# R\nx\n", "# R\ny\n", alone, alone) is None
    assert diff_above("# R\n", "# S\n", alone, alone) is not None


def test_two_versions_differ_by_their_lines_alone():
    assert diff_texts("a\nb\nc", "\ufeffa\r\nB\rc").split("\n") == [
        "--- as it was",
        "+++ as it is now",
        "@@ -1,3 +1,3 @@",
        " a",
        "-b",
        "+B",
        " c",
    ]
    assert diff_texts("a\nb", "a\r\nb") == ""


def test_a_long_difference_is_cut():
    old = "\n".join(f"old {n}" for n in range(500))
    far = step("b", line=400)

    lines = diff_above(old, old.replace("old", "new"), far, far).split("\n")

    assert len(lines) == DIFF_LINES + 1
    assert lines[-1] == f"... {3 + 800 - DIFF_LINES} more lines"


values = st.none() | st.text(max_size=5)
rows_of_values = st.lists(
    st.builds(
        row,
        st.integers(1, 9),
        env=st.dictionaries(st.sampled_from("ABC"), values),
        outputs=st.dictionaries(st.sampled_from("xyz"), values),
    ),
    unique_by=lambda item: item.n,
)


@given(rows_of_values, st.dictionaries(st.sampled_from("ABCxyz"), st.text(max_size=5)))
def test_every_value_is_restored_or_missing(rows, again):
    found = restored(rows, again)
    names = {name for item in rows for name in (*item.env, *item.outputs)}
    assert names == {*found.variables, *found.outputs} | found.missing
    assert not found.missing & again.keys()
