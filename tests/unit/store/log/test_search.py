"""Lines found in a log that comes in chunks, against a model that has it whole."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runbook.errors import RequestError
from runbook.store.log.lines import MAX_LINE_BYTES
from runbook.store.log.search import PatternMatcher, TextMatcher


def found(matcher, chunks):
    return [n for chunk in chunks for n in matcher.feed(chunk)] + matcher.finish()


def cut(text, places):
    """The text in pieces that end between characters."""
    ends = sorted({min(place, len(text)) for place in places} | {len(text)})
    return [text[a:b].encode() for a, b in zip([0, *ends], ends, strict=False)]


_TEXT = st.text(st.sampled_from("aAbé\n\n 1"), max_size=60)
_CUTS = st.lists(st.integers(0, 60), max_size=8)


@pytest.mark.parametrize(
    "pattern",
    ["a", "^a", "a$", "^$", "x*", "a.b", "[^a]", r"\s", r"\b1|é", "(a|b)+1", "É", "(?-i)A"],
)
@given(text=_TEXT, places=_CUTS)
@example(text="\n", places=[])
@example(text="a\n\nb", places=[2, 3])
def test_a_pattern_finds_the_lines_that_it_matches(pattern, text, places):
    # Python knows no such switch within a pattern.
    plain = pattern.removeprefix("(?-i)")
    case = re.NOFLAG if plain != pattern else re.IGNORECASE
    *whole, rest = text.split("\n")
    lines = [*whole, rest] if rest else whole
    wanted = [n for n, line in enumerate(lines, 1) if re.search(plain, line, case)]
    assert found(PatternMatcher(pattern), cut(text, places)) == wanted


@given(text=_TEXT, places=_CUTS, wanted=st.text(st.sampled_from("aAé 1"), min_size=1, max_size=3))
def test_a_text_is_found_wherever_the_chunks_end(text, places, wanted):
    lines = enumerate(text.split("\n"), 1)
    numbers = [n for n, line in lines if wanted.casefold() in line.casefold()]
    assert found(TextMatcher(wanted), cut(text, places)) == numbers


def test_a_line_without_an_end_is_matched_up_to_what_a_reader_sees_of_it():
    matcher = PatternMatcher("a$|b")
    long = b"a" * (MAX_LINE_BYTES // 2)
    assert [matcher.feed(chunk) for chunk in (long, long, b"aab", b"b\nb\nc\n")] == [
        [],
        [],
        [1],
        [2],
    ]
    assert matcher.finish() == []


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", "missing ): (a"),
        ("a**", "bad repetition operator: **"),
        (r"(a)\1", r"invalid escape sequence: \1"),
        ("(?=a)", "invalid perl operator: (?="),
        ("[z-a]", "invalid character class range: z-a"),
        ("((a{100}){100}){100}", "invalid repetition size: {100}"),
    ],
)
def test_what_is_not_a_pattern_is_refused_with_the_reason(pattern, reason):
    with pytest.raises(RequestError) as caught:
        PatternMatcher(pattern)
    assert caught.value.message.startswith(f"Invalid regular expression: {reason}")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*b", "a*a*a*a*a*a*a*a*c"])
def test_no_pattern_is_slow(pattern):
    """Backtracking would take longer than the sun will shine for these."""
    assert found(PatternMatcher(pattern), [b"a" * 60_000 + b"!\n"]) == []
