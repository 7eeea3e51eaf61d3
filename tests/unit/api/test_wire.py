import json

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from runbook.api import accept, wire
from runbook.core.access import Principal
from runbook.core.events import EventType, RunEvent
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.errors import AuthenticationError
from runbook.store.models import Activity

NASTY = st.text(
    st.sampled_from("a:\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029 é") | st.characters(codec="utf-8")
)


def parse(lines):
    """What a client makes of the lines of one event."""
    event, data = None, []
    for line in lines:
        if line.startswith("event: "):
            event = line[7:]
        elif line.startswith("data: "):
            data.append(line[6:])
        else:
            assert line == ""
    return event, data


@given(NASTY)
def test_output_cannot_forge_an_event(text):
    """Neither for a client that splits as the specification says, nor for Python's splitlines."""
    sent = wire._raw_data(RunEvent(7, 0, EventType.STDOUT, text=text)).decode()

    assert parse(sent.split("\n")) == parse(sent.splitlines())
    event, data = parse(sent.split("\n"))
    assert event is None
    assert "\n".join(data) == wire._LINE_ENDS.sub("\n", text)


@given(NASTY)
def test_json_stays_on_one_line_and_keeps_every_character(text):
    line = wire.json_line({"text": text})

    assert len(line.splitlines()) == 1
    assert json.loads(line) == {"text": text}


def test_json_does_not_escape_what_needs_no_escape():
    assert wire.json_line("é漢") == '"é漢"'


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, False),
        ("*/*", False),
        ("text/event-stream", False),
        ("application/json", True),
        ("application/json, text/event-stream", False),
        ("application/json;q=0.5, text/event-stream", False),
        ("application/json, text/event-stream;q=0.5", True),
        ("application/json, */*;q=0.8", True),
        ("application/json, */*", True),
        ("application/json, text/plain, */*", True),
        ("application/json; charset=utf-8", True),
        ("Application/JSON", True),
        ("application/*", True),
        ("application/*, */*", True),
        ("application/*, text/event-stream", False),
        ("application/json;q=0", False),
        ("application/json;q=0, application/*", False),
        ("application/json, text/*", True),
        ("application/json;q=0.5, */*", False),
        ("text/html, application/json;q=0.9, */*;q=0.8", True),
    ],
)
def test_json_is_sent_only_where_it_outranks_the_stream(given, wanted):
    headers = {} if given is None else {"Accept": given}
    with Flask("test").test_request_context(headers=headers):
        assert accept.prefers_json() is wanted


def test_a_stream_of_changes_ends_when_its_token_is_no_longer_valid():
    valid = iter([True, True, False])

    def check():
        if not next(valid):
            raise AuthenticationError

    class Engine:
        class live:  # noqa: N801
            @staticmethod
            def follow(_principal):
                yield Activity((), 7)
                yield None
                yield Activity((), 8)
                raise AssertionError

    sent = list(wire.change_events(Engine, Principal("ann", Origin.API, grants=ALL_GRANTS), check))

    assert sent[0] == b"", "the headers leave at once"
    assert b"".join(sent) == (
        b'event: changed\nretry: 1000\ndata: {"active": [], "revision": 7}\n\n: still here\n\n'
    )


@pytest.mark.parametrize("form", [wire.raw_events, lambda *args: wire.json_events(*args, 0)])
def test_a_block_starts_with_its_event_and_the_first_has_retry(form):
    """Old clients look for a block that starts with `event: done`."""
    events = (
        RunEvent(1, 0, EventType.QUEUED, data={}),
        None,
        RunEvent(2, 0, EventType.STDOUT, text="x\n"),
        RunEvent(3, 0, EventType.DONE, data={"success": True}),
    )

    class Engine:
        @staticmethod
        def follow(_run_id, **_options):
            yield from events

    headers, *pieces = form(Engine, "1")
    assert (headers, len(pieces)) == (b"", len(events)), "an event is one piece"

    blocks = b"".join(pieces).decode().removesuffix("\n\n").split("\n\n")
    heads = [block.split("\ndata: ")[0] for block in blocks]
    assert heads == [
        "event: queued\nid: 1\nretry: 1000",
        ": still here",
        "event: stdout\nid: 2",
        "event: done\nid: 3",
    ]


def test_a_long_done_comes_in_pieces_of_a_limited_size(monkeypatch):
    monkeypatch.setattr(wire, "GATHERED_BYTES", 10)
    assert list(wire.gathered([b"abc", b"defg"], [b"hijk", b"l"], [])) == [b"abcdefghijk", b"l"]
