"""The frame around what a called run prints."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.script.frame import Frame


def shown(*events, ref="Child.md", run_id="0198"):
    stream = io.StringIO()
    frame = Frame(ref, stream)
    for event in ({"run": run_id}, {"type": "queued"}, *events):
        frame.show(event)
    return stream.getvalue()


def out(text, stream="stdout"):
    return {"type": stream, "text": text}


DONE = {"type": "done", "status": "succeeded", "return_code": 0}
HEAD = "┌ Child.md run 0198\n"


def test_a_frame_stands_around_all_that_is_printed():
    text = shown(out("one\ntwo\n"), out("\n", "stderr"), DONE)
    assert re.fullmatch(f"{HEAD}┊ one\n┊ two\n┃ \n└ Child.md succeeded after \\d+\\.\\d s\n", text)


def test_a_line_that_comes_in_pieces_has_one_side():
    assert shown(out("on"), out("e"), out(" line\nnext"), out("\n")) == (
        f"{HEAD}┊ one line\n┊ next\n"
    )


def test_what_the_engine_says_begins_a_line_of_its_own():
    progress = {"type": "progress", "percent": 40, "text": "Cloning"}
    text = shown(out("open"), progress, out("rest\n"), out("open"), DONE)
    assert text.startswith(f"{HEAD}┊ open\n┊ 40% Cloning\n┊ rest\n┊ open\n└ Child.md")


def test_colours_are_kept():
    assert "┊ \x1b[31mred\x1b[0m\n" in shown(out("\x1b[31mred\x1b[0m\n"))


RUN_ID = "0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11"


def test_frames_nest_by_themselves():
    """A side says which stream of which run a line comes from, however deep."""
    printed = (out("deep\n"), out("wrong\n", "stderr"), DONE)
    inner = shown(*printed, ref="Grandchild.md", run_id=RUN_ID)
    lines = shown(out(inner + "own\n", "stderr"), DONE).splitlines()
    assert lines[1:4] == [f"┊ ┌ Grandchild.md run {RUN_ID}", "┊ ┊ deep", "┃ ┃ wrong"]
    assert lines[4].startswith("┊ └ Grandchild.md succeeded after ")
    assert lines[5] == "┃ own"


def test_another_stream_begins_a_line_of_its_own():
    text = shown(out("Checking"), out("bad\n", "stderr"), out(" done\n"))
    assert text == f"{HEAD}┊ Checking\n┃ bad\n┊  done\n"


@pytest.mark.parametrize("line", ["│ a table │", "┌ a table ┐", "└ took after 3 s"])
def test_boxes_are_not_frames(line):
    assert shown(out(f"{line}\n", "stderr")) == f"{HEAD}┃ {line}\n"


def test_a_failure_is_named_at_the_end():
    done = {"type": "done", "status": "failed", "return_code": 3}
    assert "└ Child.md failed with return code 3 after" in shown(done)


def test_a_run_that_never_began_has_no_frame():
    stream = io.StringIO()
    frame = Frame("Child.md", stream)
    for event in ({"run": "0198"}, out("not valid", "stderr"), DONE | {"status": "invalid"}):
        frame.show(event)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("kind", ["started", "child"])
def test_what_needs_no_line_gets_none(kind):
    assert shown({"type": kind, "state": "started"}) == HEAD


@given(st.lists(st.text("ab\n", max_size=5), max_size=6))
def test_however_output_comes_it_looks_the_same(pieces):
    text = "".join(pieces)
    framed = "".join(f"┊ {line}" for line in text.splitlines(keepends=True))
    assert shown(*map(out, pieces)) == HEAD + framed


class Full(io.StringIO):
    def flush(self):
        raise OSError(28, "No space left on device")


def test_a_full_disk_ends_the_showing_only():
    stream = Full()
    frame = Frame("Child.md", stream)
    for event in ({"type": "queued"}, out("lost\n"), DONE):
        frame.show(event)
    assert stream.getvalue() == "┌ Child.md run \n"


def test_a_reader_that_left_ends_the_showing_only(tmp_path):
    import os

    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as stream:
        frame = Frame("Child.md", stream)
        for event in ({"type": "queued"}, out("lost\n"), DONE):
            frame.show(event)
