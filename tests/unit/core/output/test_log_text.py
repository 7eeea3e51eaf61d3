from hypothesis import given
from hypothesis import strategies as st

from runbook.core.events import EventType
from runbook.core.output.log_text import LogCursor, Placed

OUT, ERR = EventType.STDOUT, EventType.STDERR

outputs = st.lists(
    st.tuples(st.sampled_from([OUT, ERR]), st.text("ab\n\ré\u2028😀", min_size=1, max_size=6)),
    max_size=12,
)


def placed(cursor: LogCursor, texts: list[tuple[EventType, str]]) -> tuple[list[Placed], str]:
    """Where the texts are, and the log: a line break before each that starts beyond its end."""
    places, log = [], ""
    for stream, text in texts:
        place = cursor.place(stream, text)
        log += "\n" * (place.offset - len(log.encode())) + text
        places.append(place)
    return places, log


def test_an_unfinished_line_is_ended_before_the_other_stream():
    cursor = LogCursor()
    texts = [(OUT, "one"), (OUT, " line\nprompt: "), (ERR, "oops\n"), (OUT, "end")]

    places, log = placed(cursor, texts)

    assert log == "one line\nprompt: \noops\nend"
    assert places == [Placed(1, 0), Placed(1, 3), Placed(3, 18), Placed(4, 23)]
    assert (cursor.lines, cursor.offset) == (4, 26)


def test_empty_texts_are_no_part_of_the_log():
    cursor = LogCursor(3, 1, OUT)
    assert cursor.place(ERR, "") == Placed(1, 3)
    assert cursor == LogCursor(3, 1, OUT)


@given(outputs)
def test_places_and_the_log_agree(texts):
    cursor = LogCursor()
    places, log = placed(cursor, texts)

    assert cursor.offset == len(log.encode())
    assert cursor.lines == log.count("\n") + (not log.endswith("\n") and log != "")
    for place, (_, text) in zip(places, texts, strict=True):
        before, after = log.encode()[: place.offset], log.encode()[place.offset :]
        assert after.startswith(text.encode())
        assert place.line == before.count(b"\n") + 1
