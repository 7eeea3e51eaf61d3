"""A conversion of line ends, there or back, breaks no chain."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import RECORD
from runbook.core.history.backwards import Backward
from runbook.core.history.chain import (
    chain_end,
    entry_start,
    find_run,
    iter_entries,
    last_link,
    read_record,
)
from runbook.core.history.entry import last_digest, render, sha256
from runbook.core.history.legacy import legacy_marks, read_legacy
from runbook.core.history.line_ends import crlf, has_crlf, lf
from runbook.core.history.verification import verify

LEGACY = b"\n### 2026-01-14T18:34:51.797Z | Exit Code: 0\n\n**Stdout:**\n```\nold\n```\n"
CONVERSIONS = {
    "unix2dos": crlf,
    "sed s/$/\\r/": lambda data: data.replace(b"\n", b"\r\n"),
    "sed twice": lambda data: data.replace(b"\n", b"\r\r\n"),
    "there and back": lambda data: lf(crlf(data)),
    "only some lines": lambda data: re.sub(rb"(e)\n", rb"\1\r\n", data),
    "none": lambda data: data,
}
outputs = st.lists(st.sampled_from(["a", "\r", "\n", "\r\n", "```", " "]), max_size=8).map("".join)


def record(n, text):
    return replace(RECORD, run_id=f"run-{n}", stdout=text)


def chain(*texts, legacy=LEGACY):
    history, previous = legacy, sha256(lf(legacy))
    for n, text in enumerate(texts, start=1):
        history += render(record(n, text), n=n, previous=previous)
        previous = last_digest(history)
    return history


def as_before(*texts, legacy=LEGACY):
    """A chain of an earlier version: digests of the bytes as they were."""
    history, previous = legacy, sha256(legacy)
    for n, text in enumerate(texts, start=1):
        body = render(record(n, text), n=n, previous=previous).rpartition(b" digest=")[0]
        previous = sha256(body)
        history += body + f" digest={previous} -->\n".encode()
    return history


@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
@settings(max_examples=60)
@given(st.lists(outputs, min_size=1, max_size=3))
def test_a_converted_chain_is_whole(convert, texts):
    history = chain(*texts)
    head = (len(texts), last_digest(history))
    converted = convert(history)

    assert verify(converted, head=head).problems == ()
    assert [entry.n for entry in iter_entries(converted)] == list(range(1, len(texts) + 1))
    assert last_link(converted).n == len(texts)
    assert chain_end(converted + b"note").link.digest == head[1]
    assert find_run(converted, "run-1") is not None
    assert lf(converted[: entry_start(converted, 1, whole=True)]) == LEGACY
    back = Backward(lambda at, size: converted[at : at + size], len(converted))
    assert [found.sound for found in back] == [True] * len(texts)
    assert lf(converted[: back.end]) == LEGACY


@pytest.mark.parametrize("text", ["a\r\nb\r\n", "\r", "a\rb\r\n\r\n"])
@pytest.mark.parametrize(
    "convert",
    [CONVERSIONS["none"], CONVERSIONS["sed s/$/\\r/"]],
    ids=["unchanged", "sed"],
)
def test_digests_of_an_earlier_version_still_count(convert, text):
    history = as_before("one", text, "three", legacy=LEGACY.replace(b"old", text.encode()))

    assert verify(convert(history), head=(3, last_digest(history))).problems == ()


@pytest.mark.parametrize("text", ["a\nb", "a\n", "plain"])
def test_a_converted_entry_reads_as_it_was_written(text):
    history = crlf(chain(text))
    (entry,) = iter_entries(history)
    assert read_record(history, entry) == record(1, text)


def test_a_changed_entry_stays_changed_whatever_its_line_ends():
    history = crlf(chain("one", "two")).replace(b"two", b"TWO")
    assert [problem.code.value for problem in verify(history).problems] == ["changed"]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"\n \t\n\n"])
def test_blank_lines_after_an_entry_are_no_problem(blank):
    one = chain("one")
    two = chain("one", "two").removeprefix(one)
    three = chain("one", "two", "three").removeprefix(one + two)
    history = one + blank + two + blank + three + blank

    assert verify(history).problems == ()
    back = Backward(lambda at, size: history[at : at + size], len(history))
    assert [(found.entry.n, found.sound) for found in back] == [(3, True), (2, True), (1, True)]


def test_a_missing_last_line_break_is_no_problem():
    assert verify(chain("one", "two")[:-1]).problems == ()


def test_converted_entries_of_the_older_engine_are_read():
    text = crlf(LEGACY.replace(b"old", b"one\ntwo"))
    (found,) = read_legacy(text, list(legacy_marks(text)))
    assert found.stdout == "one\ntwo"


@pytest.mark.parametrize(
    ("front", "expected"),
    [(b"# A\r\n\n", True), (b"# A\n\r\n", False), (b"# A", False), (b"\n", False), (b"", False)],
)
def test_the_first_line_says_which_line_ends_a_file_has(front, expected):
    assert has_crlf(front) is expected
