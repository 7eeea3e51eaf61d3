from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.environ import VALUE_LIMIT, is_reserved
from runbook.core.outcome import PlanLabel
from runbook.core.output.handover import (
    HANDOVER_BYTES,
    NO_NAME,
    Lines,
    MaskLines,
    Planned,
    Progress,
    label_of,
    read_env,
    read_outputs,
    read_plan,
    read_progress,
)
from runbook.script.limits import LINE_BYTES

VERIFIED, ASSUMED, UNKNOWN = PlanLabel.VERIFIED, PlanLabel.ASSUMED, PlanLabel.UNKNOWN


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The same bytes in pieces."""
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    return [data[a:b] for a, b in zip([0, *ends], ends)]


# -- variables and outputs -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("A=1\n", {"A": "1"}),
        ("A=1", {"A": "1"}),
        ("A=\n", {"A": ""}),
        ("A=b=c<<d\n", {"A": "b=c<<d"}),
        ("A= spaced \r\n", {"A": " spaced "}),
        ("A=1\r\nB=2\r\n\r\n", {"A": "1", "B": "2"}),
        ("A<<EOF\r\none\r\n\r\nEOF\r\nB=2\r\n", {"A": "one\n", "B": "2"}),
        ("A<<EOF\none\r\ntwo\nEOF\r\n", {"A": "one\r\ntwo"}),
        ("A<<EOF\nends with CR\r\nEOF\n", {"A": "ends with CR\r"}),
        ("A=1\n\n \t\nB=2\nA=3\n", {"A": "3", "B": "2"}),
        ("A<<EOF\none\ntwo=2\n\nEOF\nB=2\n", {"A": "one\ntwo=2\n", "B": "2"}),
        ("A<<EOF\nEOF\n", {"A": ""}),
        ("A<<E=F\nx\nE=F\n", {"A": "x"}),
        ("A<<EOF\n EOF\nEOF", {"A": " EOF"}),
    ],
)
def test_reads_values_in_both_forms(text, values):
    for read in (read_env, read_outputs):
        assert read(text.encode()).values == values
        assert read(text.encode()).problem is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("A=1\nsecret\n", "line 2: must be NAME=value or NAME<<WORD"),
        ("A<<EOF\nx\n", "line 1: the closing WORD of the value is missing"),
        ("A<<\nx\n\n", "line 1: the closing WORD of the value is missing"),
        ("A=1\nA<<EOF\n EOF\nEOF \n", "line 2: the closing WORD of the value is missing"),
        ("=1\n", f"line 1: {NO_NAME}"),
        (" A=1\n", f"line 1: {NO_NAME}"),
        ("A B=1\n", f"line 1: {NO_NAME}"),
        ("1A=1\n", f"line 1: {NO_NAME}"),
        (f"{'A' * 129}=1\n", f"line 1: {NO_NAME}"),
        ("A=x\0y\n", "line 1: The value of A contains a NUL character"),
    ],
)
def test_says_which_line_cannot_be_used_and_keeps_nothing_of_the_file(text, problem):
    for read, file in ((read_env, "RUNBOOK_ENV"), (read_outputs, "RUNBOOK_OUTPUT")):
        found = read(text.encode())
        assert found.problem == f"{file}, {problem}"
        assert found.values == {}


def test_a_problem_repeats_nothing_that_may_be_a_secret():
    for text in ("KEY=one\nhunter22+hunter22=\n", "KEY<<hunter22\nx\n", "hunter22<<E\nhunter22\n"):
        for read in (read_env, read_outputs):
            assert "hunter22" not in read(text.encode()).problem


def test_outputs_have_freer_names_than_variables():
    data = b"disk.size-gb=20\nPATH=/tmp\n"
    assert read_outputs(data).values == {"disk.size-gb": "20", "PATH": "/tmp"}
    assert NO_NAME in read_env(data).problem


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "RUNBOOK_URL", "HOME"])
def test_a_reserved_variable_is_refused(name):
    found = read_env(f"{name}=x\n".encode())
    assert found.problem == (
        f"RUNBOOK_ENV, line 1: {name} is reserved: "
        "it affects how programs run or is used by the engine"
    )


def test_values_and_files_have_a_limit():
    longest = b"A=" + b"x" * VALUE_LIMIT
    assert read_env(longest).values == {"A": "x" * VALUE_LIMIT}
    assert "is too long" in read_env(longest + b"x").problem

    filled = b"\n" * HANDOVER_BYTES
    assert read_outputs(filled[:-1]).problem is None
    assert read_outputs(filled).problem == "RUNBOOK_OUTPUT is larger than 1024 KiB"


def test_bytes_that_are_no_text_are_replaced():
    assert read_outputs(b"A=\xff\xfe\n").values == {"A": "\ufffd\ufffd"}


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True).filter(
    lambda name: not is_reserved(name)
)
values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def written(name: str, value: str) -> str:
    if "\n" not in value and not value.endswith("\r"):
        return f"{name}={value}\n"
    word = secrets.token_hex(8)
    return f"{name}<<{word}\n{value}\n{word}\n"


@given(st.dictionaries(names, values, max_size=5))
def test_what_is_written_is_read(given_values):
    text = "".join(written(name, value) for name, value in given_values.items())
    for read in (read_env, read_outputs):
        assert read(text.encode()).values == given_values


@given(names, values)
def test_any_value_fits_the_form_of_several_lines(name, value):
    assert read_env(f"{name}<<\u00a0w\n{value}\n\u00a0w\n".encode()).values == {name: value}


pieces = st.lists(
    st.sampled_from([b"A=1", b"A<<E", b"E", b"<<", b"=", b"\n", b"\r", b"\0", b"\xff", b" "])
)


@given(st.binary() | pieces.map(b"".join))
def test_reading_never_raises(data):
    for read in (read_env, read_outputs):
        found = read(data)
        assert found.problem is None or found.values == {}


# -- progress and plans --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "progress"),
    [
        ("40 Cloning disk", Progress(40, "Cloning disk")),
        ("40% Cloning disk", Progress(40, "Cloning disk")),
        ("40 %", Progress(40, "")),
        (" 0 ", Progress(0, "")),
        ("12.5 half way", Progress(12.5, "half way")),
        ("100", Progress(100, "")),
        ("100.0", Progress(100, "")),
        ("100.1 is too much", Progress(None, "100.1 is too much")),
        ("40Cloning", Progress(None, "40Cloning")),
        ("1000 files", Progress(None, "1000 files")),
        ("-1 x", Progress(None, "-1 x")),
        (" Cloning disk ", Progress(None, "Cloning disk")),
        ("", None),
        (" \t", None),
    ],
)
def test_reads_progress(line, progress):
    assert read_progress(line) == progress


@pytest.mark.parametrize(
    ("line", "planned"),
    [
        ("verified: create VM 104", Planned("create VM 104", VERIFIED)),
        (" assumed:  start it ", Planned("start it", ASSUMED)),
        ("unknown: who knows", Planned("who knows", UNKNOWN)),
        ("Verified: by hand", Planned("Verified: by hand", UNKNOWN)),
        ("create VM", Planned("create VM", UNKNOWN)),
        ("verified:", None),
        ("", None),
        ("  ", None),
    ],
)
def test_reads_plans(line, planned):
    assert read_plan(line) == planned


@given(st.text())
def test_any_line_can_be_read(line):
    progress, planned = read_progress(line), read_plan(line)
    assert progress is None or progress.percent is None or 0 <= progress.percent <= 100
    assert planned is None or planned.text


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        ([], UNKNOWN),
        ([VERIFIED, VERIFIED], VERIFIED),
        ([VERIFIED, ASSUMED], ASSUMED),
        ([UNKNOWN, VERIFIED, ASSUMED], UNKNOWN),
    ],
)
def test_a_dry_run_is_as_good_as_its_worst_line(labels, label):
    assert label_of(labels) is label


# -- lines that arrive in pieces -----------------------------------------------------------------


def lines_of(pieces: list[bytes]) -> list[str]:
    lines = Lines()
    return [line for piece in pieces for line in lines.feed(piece)] + lines.finish()


def test_a_line_has_an_end_or_is_the_last():
    lines = Lines()
    assert lines.feed(b"one\ntw") == ["one"]
    assert lines.feed(b"o\n\nrest") == ["two", ""]
    assert lines.finish() == ["rest"]
    assert lines.finish() == []


@pytest.mark.parametrize("size", [1000, LINE_BYTES, LINE_BYTES + 1, 100_000])
def test_a_long_line_is_cut_and_its_rest_left_out(size):
    data = b"x" * (3 * LINE_BYTES) + b"\nnext\n" + b"y" * (2 * LINE_BYTES)
    found = lines_of([data[at : at + size] for at in range(0, len(data), size)])
    assert found == ["x" * LINE_BYTES, "next", "y" * LINE_BYTES]


@given(st.lists(st.binary(max_size=20)).map(b"\n".join), st.lists(st.integers(0, 99)))
def test_lines_do_not_depend_on_how_they_arrive(data, places):
    assert lines_of(cut(data, places)) == lines_of([data])


# -- what is to be masked ------------------------------------------------------------------------


def masks_of(pieces: list[bytes]) -> list[str]:
    lines = MaskLines()
    return [value for piece in pieces for value in lines.feed(piece)] + lines.finish()


def test_reads_masks_in_both_forms():
    assert masks_of([b"one\n\ntwo\n<<E\na\n\nb\nE\nthree\n"]) == ["one", "two", "a\n\nb", "three"]


def test_reads_masks_with_crlf_without_the_cr():
    assert masks_of([b"one\r\n<<E\r\na\r\nb\r\nE\r\n<<E\nc\r\nE\n"]) == ["one", "a\nb", "c\r"]
    assert masks_of([b"cut\r", b"\n"]) == ["cut", "cut"]


def test_a_value_counts_as_soon_as_it_begins_to_arrive():
    lines = MaskLines()
    assert lines.feed(b"hun") == ["hun"]
    assert lines.feed(b"ter22") == ["hunter22"]
    assert lines.feed(b"\n<<E") == ["hunter22"]
    assert lines.feed(b"\na\nb") == ["a\nb"]
    assert lines.feed(b"c\nE\n") == ["a\nbc"]


def test_two_signs_alone_are_a_value():
    assert masks_of([b"<<\n"]) == ["<<"]


def test_a_value_of_one_script_does_not_reach_into_the_next_ones():
    lines = MaskLines()
    for unfinished, value in ((b"<<E\none\ntwo", "one\ntwo"), (b"half", "half"), (b"<<E", "<<E")):
        lines.feed(unfinished)
        assert lines.finish() == [value]
        assert lines.size == 0
        assert lines.feed(b"hunter22\n") == ["hunter22"]
    assert lines.finish() == []


def test_tells_how_much_it_keeps():
    lines = MaskLines()
    lines.feed(b"<<E\n" + b"12345\n" * 10 + b"123")
    assert lines.size == 53
    lines.feed(b"\nE\n")
    assert lines.size == 0


def test_bytes_that_are_no_text_can_be_masked():
    (value,) = masks_of([b"\xff\xfehunter\n"])
    assert value.encode("utf-8", "surrogateescape") == b"\xff\xfehunter"


mask_lines = st.lists(
    st.sampled_from([b"one", b"two two", b"<<E", b"E", b"", b"<<", b"\xc3\xa9"]), max_size=12
)


@given(mask_lines, st.booleans(), st.lists(st.integers(0, 60)))
def test_every_value_is_learnt_however_it_arrives(lines, ended, places):
    """In pieces there is more: the beginnings of values; never is one left out."""
    data = b"\n".join(lines) + b"\n" * ended
    whole, found = masks_of([data]), masks_of(cut(data, places))
    assert set(whole) <= set(found)
    assert all(value.encode("utf-8", "surrogateescape") in data for value in found)


@given(st.binary(), st.lists(st.integers(0, 99)))
def test_any_bytes_may_be_masked(data, places):
    masks_of(cut(data, places))
