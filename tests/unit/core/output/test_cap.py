import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.output.cap import (
    PIECE_BYTES,
    ByteRing,
    HeadTail,
    Tail,
    cut_utf8,
    split_utf8,
    utf8_size,
)


@pytest.mark.parametrize("size", [1, 1000, 65536, 3_000_000])
def test_memory_is_bounded_whatever_size_the_reads_have(size):
    ring, fed = ByteRing(), 0
    while fed < 500_000:
        ring.add(b"x" * size, 100_000)
        fed += size

    blocks = list(ring.blocks())

    assert ring.size == sum(map(len, blocks))
    assert 100_000 <= ring.size <= 100_000 + 2 * PIECE_BYTES
    assert ring.size + ring.dropped == fed
    assert len(blocks) <= 8


@given(st.lists(st.text("aé😀\n", max_size=9), max_size=20), st.integers(0, 60))
def test_head_and_tail_hold_the_whole_within_the_limit(texts, limit):
    whole, kept = "".join(texts), HeadTail(limit)
    for text in texts:
        kept.feed(text)

    if utf8_size(whole) <= limit // 2:
        assert kept.text() == whole
    head, notice, tail = kept.text().partition("[... ")
    if notice:
        assert utf8_size(head) <= limit // 2 + 1
        assert whole.startswith(head.rstrip("\n"))
        assert whole.endswith(tail.partition("]\n")[2])
    else:
        assert head == whole


def test_head_and_tail_name_their_limit():
    kept = HeadTail(10)
    for digit in "0123456789abcdef":
        kept.feed(digit)

    assert (
        kept.text()
        == "01234\n[... 6 bytes of output omitted: HISTORY_ENTRY_BYTES is 10 ...]\nbcdef"
    )


@given(st.text("aé😀\n"), st.integers(4, 20))
def test_splitting_cuts_between_characters_and_loses_nothing(text, limit):
    pieces = list(split_utf8(text, limit))

    assert "".join(pieces) == text
    assert all(0 < utf8_size(piece) <= limit for piece in pieces)
    assert text.startswith(cut_utf8(text, limit))
    assert utf8_size(cut_utf8(text, limit)) <= limit


def test_a_tail_of_nothing_is_empty():
    tail = Tail(0)
    tail.add("abc")

    assert (tail.text(), tail.total) == ("", 3)


@pytest.mark.parametrize(("limit", "text"), [(4, "éé"), (3, "é"), (2, "é"), (1, ""), (5, "aéé")])
def test_a_tail_begins_with_a_whole_character(limit, text):
    tail = Tail(limit)
    tail.add("aéé")

    assert (tail.text(), tail.total) == (text, 5)
