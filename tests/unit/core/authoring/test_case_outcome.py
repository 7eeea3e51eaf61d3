"""Whether a run ended as its test case says."""

import pytest

from runbook.core.authoring.case_outcome import CaseOutcome, differences
from runbook.core.authoring.cases import Case, Expected
from runbook.core.status import RunStatus

DONE = CaseOutcome(
    RunStatus.SUCCEEDED,
    0,
    outputs={"STATE": "up", "COUNT": 3},
    stdout="one\ntwo\n",
    stderr="warned\n",
    errors=("first", "second"),
)


def texts(outcome=DONE, **expected):
    return [item.text for item in differences(Case("demo", 1, **expected), outcome)]


@pytest.mark.parametrize(
    "expected",
    [
        {},
        {"return_code": 0},
        {"outputs": {"STATE": "up", "COUNT": "3"}},
        {"stdout": (Expected("one"), Expected("^two$", regex=True))},
        {"stderr": (Expected("warned"),)},
        {"errors": (Expected("second"), Expected("fir"))},
    ],
)
def test_what_is_as_expected_makes_no_difference(expected):
    assert texts(**expected) == []


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        ({"status": RunStatus.FAILED}, "expected status failed, got succeeded"),
        ({"return_code": 3}, "expected return code 3, got 0"),
        ({"outputs": {"STATE": "down"}}, "expected output STATE 'down', got 'up'"),
        ({"outputs": {"OTHER": "x"}}, "expected output OTHER 'x', got none"),
        (
            {"stdout": (Expected("three"),)},
            "expected stdout containing 'three', got 'one\\ntwo\\n'",
        ),
        (
            {"stdout": (Expected("^ne", regex=True),)},
            "expected stdout containing /^ne/, got 'one\\ntwo\\n'",
        ),
        ({"stderr": (Expected("x"),)}, "expected stderr containing 'x', got 'warned\\n'"),
        (
            {"errors": (Expected("third"),)},
            "expected an error containing 'third', got 'first\\nsecond'",
        ),
    ],
)
def test_a_difference_says_what_was_expected_and_what_came(expected, text):
    assert texts(**expected) == [text]


def test_where_nothing_was_printed_that_is_said():
    quiet = CaseOutcome(RunStatus.SUCCEEDED)
    assert texts(quiet, stdout=(Expected("x"),)) == ["expected stdout containing 'x', got nothing"]
    assert texts(quiet, errors=(Expected("x"),)) == [
        "expected an error containing 'x', got nothing"
    ]


def test_of_long_output_only_the_end_is_shown():
    long = CaseOutcome(RunStatus.SUCCEEDED, stdout="a" * 500 + "end")
    (text,) = texts(long, stdout=(Expected("x"),))
    assert text.endswith("aend'")
    assert "got ...'" in text
    assert len(text) < 260
