import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.core.events import EventType
from runbook.core.output import cap, coalesce
from runbook.core.output.cap import (
    PIECE_BYTES,
    utf8_size,
)
from runbook.core.output.mask import Masker
from runbook.core.output.pipeline import (
    OUTPUT_PAUSED,
    OUTPUT_TRUNCATED,
    OutputPipeline,
    Piece,
)

OUT, ERR = EventType.STDOUT, EventType.STDERR
MIB = 1024 * 1024


def pipeline(limit: int = MIB, secrets: tuple[str, ...] = ()) -> OutputPipeline:
    return OutputPipeline(Masker(secrets), limit)


def text_of(items: list[Piece], stream: EventType = OUT) -> str:
    return "".join(i.text for i in items if i.stream is stream and not i.notice)


def printed(data: bytes, *, limit: int, secrets: tuple[str, ...] = (), size: int = 7) -> str:
    """What is sent of a stream that brings `data` in pieces of `size`."""
    output, items = pipeline(limit, secrets), []
    for at in range(0, len(data), size):
        output.feed(OUT, data[at : at + size], 0.0)
        items += output.due(0.0)
    return text_of(items + output.finish())


def test_a_quiet_streams_line_goes_out_after_4_ms_and_the_next_after_25_ms():
    output = pipeline()

    output.feed(OUT, b"one\n", 10.0)
    assert output.due(10.0) == []
    assert output.next_due() == pytest.approx(10.004)
    assert output.due(10.004) == [Piece(OUT, "one\n")]
    output.feed(OUT, b"two\n", 10.005)
    output.feed(OUT, b"three\n", 10.006)

    assert output.due(10.02) == []
    assert output.next_due() == pytest.approx(10.029)
    assert output.due(10.029) == [Piece(OUT, "two\nthree\n")]
    assert output.next_due() is None


def test_what_is_prepared_masks_the_same(monkeypatch):
    masker = Masker(("hunter22",))
    output = OutputPipeline(masker, MIB)
    masker.prepare()
    monkeypatch.setattr("runbook.core.output.mask.forms", None)

    output.feed(OUT, b"hunter22 aHVudGVyMjI=\n", 10.0)

    assert output.due(11.0) == [Piece(OUT, "*** ***\n")]


def test_an_unfinished_line_waits_200_ms_for_its_end():
    output = pipeline()

    output.feed(OUT, b"Continue? ", 10.0)
    assert output.due(10.0) == []
    assert output.next_due() == pytest.approx(10.2)
    output.feed(OUT, b"[y/n] ", 10.19)
    assert output.due(10.21) == [Piece(OUT, "Continue? [y/n] ")]

    output.feed(OUT, b"half", 20.0)
    output.feed(OUT, b" whole\nrest", 20.1)
    assert output.due(20.1) == [Piece(OUT, "half whole\n")]


def test_64_kib_go_out_without_waiting_in_pieces_of_at_most_that():
    output = pipeline()
    output.feed(OUT, b"x\n", 9.99)
    output.due(10.0)

    output.feed(OUT, "é".encode() * 100_000, 10.001)

    items = output.due(10.001)
    assert max(utf8_size(item.text) for item in items) <= PIECE_BYTES
    assert text_of(items + output.finish()) == "é" * 100_000


def test_lines_of_both_streams_keep_their_order():
    output = pipeline()
    output.feed(OUT, b"0\n", 9.99)
    output.feed(ERR, b"0\n", 9.99)
    output.due(9.999)
    for line in range(3):
        output.feed(ERR, b"+ echo %d\n" % line, 10.0)
        output.feed(OUT, b"%d\n" % line, 10.0)

    pieces = [(item.stream, item.text) for item in output.due(11.0)]

    assert pieces[:2] == [(ERR, "+ echo 0\n"), (OUT, "0\n")]
    assert len(pieces) == 6


def alternating(output):
    for line in range(1000):
        output.feed(ERR if line % 2 else OUT, b"%d\n" % line, 10.0)
    return output.due(10.004)


def test_streams_that_alternate_quickly_keep_their_order():
    items = alternating(pipeline())
    assert [item.text for item in items] == [f"{line}\n" for line in range(1000)]


def test_streams_that_never_stop_to_alternate_make_few_pieces_in_the_end(monkeypatch):
    monkeypatch.setattr(coalesce, "ORDERED_CHANGES", 0)
    items = alternating(pipeline())
    assert len(items) <= 64
    assert text_of(items) == "".join(f"{line}\n" for line in range(0, 1000, 2))


def test_many_changes_of_the_stream_do_not_wait_for_more():
    output = pipeline()
    output.feed(OUT, b"0\n", 9.99)
    output.due(10.0)
    for line in range(coalesce.MAX_SEGMENTS):
        output.feed(ERR if line % 2 else OUT, b"%d\n" % line, 10.001)
    assert len(output.due(10.001)) == coalesce.MAX_SEGMENTS


def test_an_unfinished_line_comes_before_later_text_of_the_other_stream():
    output = pipeline()
    output.feed(OUT, b"Continue? ", 10.0)
    output.feed(ERR, b"careful\n", 10.1)
    output.feed(OUT, b"yes\n", 10.15)

    items = output.due(10.15)

    assert items == [Piece(OUT, "Continue? "), Piece(ERR, "careful\n"), Piece(OUT, "yes\n")]
    assert [item.at for item in items] == [10.0, 10.1, 10.15]


def test_text_that_may_be_a_secret_comes_before_later_text_of_the_other_stream():
    output = pipeline(secrets=("hunter2",))
    output.feed(OUT, b"say hun", 10.0)
    output.feed(ERR, b"careful\n", 10.01)
    assert output.due(10.01) == [Piece(OUT, "say ")]
    assert output.next_due() == pytest.approx(10.21)

    output.feed(OUT, b"ter2\nnext\n", 10.02)

    assert output.due(10.1) == [Piece(OUT, "***\n"), Piece(ERR, "careful\n"), Piece(OUT, "next\n")]


def test_the_other_stream_waits_only_a_moment_for_text_that_may_be_a_secret():
    output = pipeline(secrets=("hunter2",))
    output.feed(OUT, b"say hun", 10.0)
    output.feed(ERR, b"careful\n", 10.01)
    output.due(10.01)

    assert output.due(10.3) == [Piece(ERR, "careful\n")]
    assert output.finish() == [Piece(OUT, "hun")]


@given(
    st.lists(
        st.tuples(st.sampled_from([OUT, ERR]), st.sampled_from(["a", "b\n", "c", "\n"])),
        max_size=30,
    )
)
def test_lines_and_parts_of_them_stay_in_order(fed):
    output = pipeline()
    for stream, text in fed:
        output.feed(stream, text.encode(), 10.0)
    items = output.due(10.0) + output.finish(10.0)

    assert merged((item.stream, item.text) for item in items) == merged(fed)


def merged(pieces):
    """Consecutive texts of one stream are one."""
    found = []
    for stream, text in pieces:
        if found and found[-1][0] is stream:
            found[-1] = (stream, found[-1][1] + text)
        else:
            found.append((stream, text))
    return found


def test_bytes_that_are_no_utf8_are_replaced_and_control_characters_stay():
    data = b"a\xff\x00\x1b[31m\r\n" + "é".encode()

    assert printed(data, limit=MIB, size=1) == "a\ufffd\x00\x1b[31m\r\né"
    assert printed(b"cut \xc3", limit=MIB) == "cut \ufffd"


def test_a_secret_cut_by_reads_is_masked_and_nothing_is_held_back_at_the_end():
    assert printed(b"a hunter2 b hunt", limit=MIB, secrets=("hunter2",), size=3) == "a *** b hunt"


def test_an_event_of_the_engine_waits_for_no_line_but_may_not_uncover_a_secret():
    output = pipeline(secrets=("hunter2",))
    output.feed(OUT, b"prompt: hun", 10.0)

    assert output.due(10.0, everything=True) == [Piece(OUT, "prompt: ")]
    assert output.due(10.0, everything=True) == []
    output.feed(OUT, b"ter2", 10.1)
    assert output.finish() == [Piece(OUT, "***")]


def test_the_end_of_a_step_holds_nothing_back():
    output = pipeline(secrets=("hunter2",))
    output.feed(OUT, b"no line end hun", 10.0)

    assert output.end_step(10.0) == [Piece(OUT, "no line end hun")]
    output.feed(OUT, b"ter\n", 10.1)
    assert output.finish() == [Piece(OUT, "ter\n")]


def test_what_was_held_back_may_reach_the_limit_at_the_end_of_a_step():
    output = pipeline(limit=20, secrets=("hunter2",))
    output.feed(OUT, b"12345678hun", 10.0)

    live = output.end_step(10.0)

    assert live[0] == Piece(OUT, "12345678hu")
    assert [piece.notice for piece in live] == ["", OUTPUT_PAUSED]
    output.feed(OUT, b"ter2", 10.1)
    assert output.end_step(10.1) == []
    assert text_of(output.finish()) == "nter2"


def test_up_to_the_limit_all_is_kept_though_the_second_half_comes_at_the_end():
    output = pipeline(limit=20)

    output.feed(OUT, b"0123456789abcdefghij", 10.0)
    live = output.due(10.0)

    assert live[0] == Piece(OUT, "0123456789")
    assert live[1].notice == OUTPUT_PAUSED
    assert output.finish() == [Piece(OUT, "abcdefghij")]


def test_beyond_the_limit_head_and_tail_are_kept_and_a_notice_stands_between():
    data = b"".join(b"%03d\n" % line for line in range(1000))

    shown = printed(data, limit=20)

    notice = "[... 3980 bytes of output omitted: MAX_OUTPUT_SIZE_BYTES is 20 ...]"
    assert shown == f"000\n001\n00\n{notice}\n7\n998\n999\n"


def test_only_what_was_omitted_counts_as_truncated():
    output = pipeline(limit=20)
    output.feed(OUT, b"x" * 21, 0.0)
    output.feed(ERR, b"x" * 20, 0.0)

    codes = [(piece.stream, piece.notice) for piece in output.finish() if piece.notice]

    assert codes == [(OUT, OUTPUT_PAUSED), (ERR, OUTPUT_PAUSED), (OUT, OUTPUT_TRUNCATED)]


def test_the_limit_is_per_stream():
    output = pipeline(limit=10)
    output.feed(OUT, b"x" * 100, 0.0)
    output.feed(ERR, b"fine\n", 0.0)

    assert text_of(output.due(0.0) + output.finish(), ERR) == "fine\n"


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
def test_tiny_limits(limit):
    shown = printed(b"abcdef", limit=limit)

    assert f"{6 - limit} bytes of output omitted" in shown
    assert shown.endswith("]\n" + "abcdef"[6 - (limit - limit // 2) :])


@settings(max_examples=150)
@given(st.data())
def test_no_part_of_a_secret_survives_the_cuts(data):
    """Of a secret that a cut goes through, at most what the head rightly shows is left."""
    secret = "S3CR3T-vAlue"
    parts = st.sampled_from([secret, secret[:5], "x", "é\n", "filler " * 3])
    raw = "".join(data.draw(st.lists(parts, min_size=1, max_size=30)))
    limit = data.draw(st.integers(2, 120))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cap, "PIECE_BYTES", 8)  # so that blocks are dropped here, too
        size = data.draw(st.integers(1, 9))
        shown = printed(raw.encode(), limit=limit, secrets=(secret,), size=size)

    leftovers = {secret[at:] for at in range(1, len(secret) - 3)} | {secret}
    assert not [rest for rest in leftovers if rest in shown]


@settings(max_examples=100)
@given(st.binary(max_size=600), st.integers(0, 200), st.integers(1, 80))
def test_what_is_sent_stays_within_the_limit_and_is_exact_below_it(data, limit, size):
    text = data.decode("utf-8", "replace")

    shown = printed(data, limit=limit, size=size)

    if utf8_size(text) <= limit // 2:
        assert shown == text
    assert utf8_size(shown) <= max(utf8_size(text), limit + 100)


def test_a_secret_added_while_output_is_swallowed_is_masked_in_the_end():
    masker = Masker()
    output = OutputPipeline(masker, 40)
    output.feed(OUT, b"." * 200 + b"late-secret" + b"." * 12, 0.0)

    masker.add("late-secret")

    assert "late" not in text_of(output.finish())


def test_a_huge_line_and_random_bytes_pass_in_bounded_memory():
    output = pipeline(limit=MIB)
    noise = random.Random(1).randbytes(65536)
    for _ in range(500):
        output.feed(OUT, b"\0" * 65536, 0.0)
        output.feed(ERR, noise, 0.0)
        output.due(0.0)

    kept = [stream._overflow.ring.size for stream in output._streams.values()]
    assert max(kept) <= MIB // 2 + 2 * PIECE_BYTES
    items = output.finish()
    assert utf8_size(text_of(items)) <= MIB // 2 + 100
    assert utf8_size(text_of(items, ERR)) <= MIB // 2 + 100
