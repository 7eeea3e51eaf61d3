from hypothesis import given
from hypothesis import strategies as st

from runbook.core.events import EventType, RunEvent
from runbook.core.output.log_text import (
    LINE_CHARACTERS,
    LogCursor,
    LogLine,
    lines_of,
    log_text,
    separator_needed,
)

OUT, ERR = EventType.STDOUT, EventType.STDERR

outputs = st.lists(
    st.tuples(st.sampled_from([OUT, ERR]), st.text("ab\n\ré\u2028😀", min_size=1, max_size=6)),
    max_size=12,
)


def stored(texts: list[tuple[EventType, str]]) -> tuple[list[RunEvent], LogCursor]:
    """Events as the store keeps them."""
    cursor, events = LogCursor(), []
    for n, (stream, text) in enumerate(texts, start=1):
        placed = cursor.place(stream, text)
        events.append(
            RunEvent(n, 1000 + n, stream, text, step=1, line=placed.line, offset=placed.offset)
        )
    return events, cursor


def test_an_unfinished_line_is_ended_before_the_other_stream():
    events, cursor = stored([(OUT, "one"), (OUT, " line\nprompt: "), (ERR, "oops\n"), (OUT, "end")])

    assert log_text(events) == "one line\nprompt: \noops\nend"
    assert [(event.line, event.offset) for event in events] == [(1, 0), (1, 3), (3, 18), (4, 23)]
    assert (cursor.lines, cursor.offset) == (4, 26)
    assert list(lines_of(events)) == [
        LogLine(1, 1001, 1, OUT, "one line"),
        LogLine(2, 1002, 1, OUT, "prompt: "),
        LogLine(3, 1003, 1, ERR, "oops"),
        LogLine(4, 1004, 1, OUT, "end"),
    ]


def test_when_a_separator_is_needed():
    assert separator_needed(OUT, False, ERR)
    assert not separator_needed(OUT, True, ERR)
    assert not separator_needed(OUT, False, OUT)
    assert not separator_needed(None, False, OUT)


def test_other_events_and_empty_texts_are_no_part_of_the_log():
    events = [RunEvent(1, 0, EventType.STARTED), RunEvent(2, 0, OUT, ""), RunEvent(3, 0, OUT, "a")]

    assert log_text(events) == "a"
    assert [line.text for line in lines_of(events)] == ["a"]
    cursor = LogCursor(3, 1, OUT)
    assert cursor.place(ERR, "").text == ""
    assert cursor == LogCursor(3, 1, OUT)


def test_a_very_long_line_is_listed_in_parts_of_bounded_size():
    events, _ = stored([(OUT, "x" * 50_000), (OUT, "y" * 150_000), (OUT, "z\nnext\n")])

    *parts, last = lines_of(events)

    assert "".join(part.text for part in parts) == "x" * 50_000 + "y" * 150_000 + "z"
    assert max(len(part.text) for part in parts) == LINE_CHARACTERS
    assert [part.continued for part in parts] == [False, True, True, True]
    assert (last.number, last.text) == (2, "next")


@given(outputs)
def test_places_lines_and_the_log_agree(texts):
    events, cursor = stored(texts)
    log = log_text(events)

    assert cursor.offset == len(log.encode())
    assert cursor.lines == log.count("\n") + (not log.endswith("\n") and log != "")
    assert [line.text for line in lines_of(events)] == log.split("\n")[: cursor.lines]
    assert [line.number for line in lines_of(events)] == list(range(1, cursor.lines + 1))
    for event in events:
        before = log.encode()[: event.offset]
        assert log.encode()[event.offset :].startswith((event.text or "").encode())
        assert event.line == before.count(b"\n") + 1


@given(outputs, st.integers(0, 12))
def test_lines_may_be_listed_from_a_later_event(texts, skip):
    events, cursor = stored(texts)
    rest = events[skip:]

    numbers = [line.number for line in lines_of(rest)]

    if rest and rest[0].line:
        assert numbers == list(range(rest[0].line, cursor.lines + 1))
