"""Tables, times, colours, exit codes."""

import io
import time

import click
import pytest

from runbook.cli.terminal import color, exit_codes
from runbook.cli.terminal.render import (
    counted,
    duration,
    fields,
    moment,
    problem_line,
    table,
    text_of,
    width,
)
from runbook.cli.terminal.times import SinceType, SpanType, seconds_of


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_columns_are_aligned_whatever_is_in_them():
    lines = table(("A", "B"), [["\x1b[31mred\x1b[0m", "x"], ["日本", "y"]])
    assert [width(line.partition("x")[0]) for line in lines[1:2]] == [6]
    assert lines == ["A     B", "\x1b[31mred\x1b[0m   x", "日本  y"]


def test_fields_without_a_value_are_left_out():
    assert fields([("name", "x"), ("reason", "-"), ("by", "y")]) == ["name  x", "by    y"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        ("a\x1b]0;t\x07", r"a\x1b]0;t\x07"),
        (["a", "b"], "a, b"),
        ([], "-"),
        (0, "0"),
    ],
)
def test_cells(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "-"), (40, "0.0 s"), (1234, "1.2 s"), (90_000, "1 min 30 s"), (7_260_000, "2 h 1 min")],
)
def test_durations(milliseconds, text):
    assert duration(milliseconds) == text


def test_one_is_not_many():
    assert [counted(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert [counted(n, "entry", "entries") for n in (1, 2)] == ["1 entry", "2 entries"]


def test_moments_are_utc_to_the_second():
    assert moment("2026-01-23T14:33:02.123Z") == "2026-01-23 14:33:02Z"
    assert moment(None) == "-"


def test_a_problem_is_a_line_that_editors_understand():
    problem = {
        "severity": "error",
        "message": "Section 'Script' is empty",
        "line": 7,
        "hint": "add one",
    }
    assert problem_line("A.md", problem) == "A.md:7: error: Section 'Script' is empty (add one)"
    assert problem_line("A.md", {"severity": "warning", "message": "m"}) == "A.md: warning: m"


@pytest.mark.parametrize(
    ("environment", "terminal", "wanted"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, False),
        ({"CLICOLOR": "0"}, True, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_is_used_where_it_is_wanted(environment, terminal, wanted):
    stream = Terminal() if terminal else io.StringIO()
    assert color.wanted(stream, environment) is wanted


def test_a_status_is_painted_only_on_request():
    assert color.paint("failed", colour=False) == "failed"
    assert color.paint("failed", colour=True) == "\x1b[31mfailed\x1b[0m"
    assert color.paint("unheard", colour=True) == "unheard"


@pytest.mark.parametrize(
    ("status", "return_code", "exit_code"),
    [
        ("succeeded", 0, 0),
        ("failed", 3, 3),
        ("failed", -9, 137),
        ("failed", None, 1),
        ("timed_out", -9, 124),
        ("cancelled", -2, 130),
        ("interrupted", -1, 70),
        ("lost", -1, 70),
        ("refused", 403, 77),
        ("invalid", 1, 65),
    ],
)
def test_a_run_ends_with_an_exit_code(status, return_code, exit_code):
    assert exit_codes.of_run({"status": status, "return_code": return_code}) == exit_code


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("7D", 604_800),
        ("1w", 604_800),
        ("2", None),
        ("h", None),
    ],
)
def test_spans(text, seconds):
    assert seconds_of(text) == seconds


def test_since_is_a_span_before_now_or_a_time():
    two_hours_ago = SinceType().convert("2h", None, None)
    assert abs(time.time() * 1000 - 7_200_000 - two_hours_ago) < 60_000
    assert SinceType().convert("2026-01-31", None, None) == 1_769_817_600_000
    assert SinceType().convert("2026-01-31T01:00:00+01:00", None, None) == 1_769_817_600_000


@pytest.mark.parametrize("kind", [SinceType(), SpanType()])
@pytest.mark.parametrize("text", ["yesterday", "", "2x", "99999999999d"])
def test_what_is_no_time_is_refused(kind, text):
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)
