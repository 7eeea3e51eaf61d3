"""Spans of time as people write them."""

import pytest

from runbook.core.syntax.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172800),
        ("1d2h3m4s", 93784),
        ("45", 45),
        ("0.5", 0.5),
        ("0s", 0),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "s", "5 m", "m5", "30m1h", "5x", "-5s", "1e3", "５s", "5s5s", "367d", "9" * 400, "."],
)
def test_what_is_none(text):
    assert parse_duration(text) is None
