"""The JSON of events."""

from runbook.core.events import EventType, RunEvent
from runbook.core.times import iso
from runbook.resources.event import event_json

AT = 1_769_178_782_123


def test_output_in_json_has_its_stream_and_place():
    event = RunEvent(3, AT, EventType.STDERR, text="no\n", step=2, line=7, offset=40)
    assert event_json(event) == {
        "n": 3,
        "at": iso(AT),
        "type": "stderr",
        "step": 2,
        "stream": "stderr",
        "text": "no\n",
        "line": 7,
    }
    assert event_json(RunEvent(1, AT, EventType.STDOUT))["text"] == ""


def test_other_events_in_json_have_their_data():
    event = RunEvent(1, AT, EventType.PROGRESS, data={"percent": 40, "text": "x"})
    assert event_json(event) == {
        "n": 1,
        "at": iso(AT),
        "type": "progress",
        "percent": 40,
        "text": "x",
    }
