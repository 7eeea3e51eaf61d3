"""A fan-out as its script sees it: what is asked, printed, reported and returned."""

import io

import pytest

from runbook.errors import RequestError, ServerUnavailableError
from runbook.script import fanning
from runbook.script.calling import CallRequest

ASKED = fanning.Asked(CallRequest("Poll.md", {"NOTE": "x"}), ["a", "b"], parallel="20%")


def fanout(paused=False, stopped=None, **counts):
    states = ("pending", "running", "succeeded", "failed", "skipped")
    return {
        "n": 1,
        "runbook": "Poll.md",
        "devices": 2,
        "paused": paused,
        "stopped": stopped,
        "counts": {state: counts.get(state, 0) for state in states},
    }


def device(name, state, **more):
    return {
        "device": name,
        "state": state,
        "run_id": None,
        "duration_ms": None,
        "message": None,
    } | more


class Transport:
    """Answers in turn; raises those that are errors."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def plan(self, asked):
        self.asked.append(asked)
        return fanout(pending=2)

    def advance(self, n, request):
        self.asked.append((n, request.ref, dict(request.env_vars)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    monkeypatch.setattr(fanning, "RETRY_SECONDS", 0)


def test_it_is_advanced_until_it_is_over():
    transport = Transport(
        {"fanout": fanout(running=2), "over": False,
         "changes": [device("a", "running", run_id="r1"), device("b", "running")]},
        ServerUnavailableError("it restarts"),
        {"fanout": fanout(paused=True, running=1, succeeded=1), "over": False,
         "changes": [device("a", "succeeded", duration_ms=1500)]},
        {"fanout": fanout(succeeded=1, failed=1, stopped="max_failures"), "over": True,
         "changes": [device("b", "failed", duration_ms=20, message="no\nroute")]},
    )  # fmt: skip
    stream, told = io.StringIO(), []
    result = fanning.fan_out(transport, ASKED, stream, lambda *said: told.append(said))
    assert result == {
        "runbook": "Poll.md", "fanout": 1, "devices": 2, "succeeded": 1, "failed": 1,
        "skipped": 0, "not_started": 0, "stopped": "max_failures",
    }  # fmt: skip
    assert transport.asked[0]["parallel"] == "20%"
    assert transport.asked[1:] == [(1, "Poll.md", {"NOTE": "x"})] * 4
    assert told == [
        (0.0, "0 of 2 devices done, 2 running"),
        (50.0, "1 of 2 devices done, 1 running, paused"),
        (100.0, "2 of 2 devices done, 1 failed"),
    ]
    lines = [line.removeprefix("┊ ") for line in stream.getvalue().splitlines()]
    assert lines[1:5] == [
        "a started: run r1", "a succeeded after 1.5 s", "paused",
        "b failed after 0.0 s: no route",
    ]  # fmt: skip


def test_other_errors_and_a_server_that_stays_away_end_it(monkeypatch):
    with pytest.raises(RequestError):
        fanning.fan_out(Transport(RequestError("no")), ASKED, None, lambda *_: None)
    monkeypatch.setattr(fanning, "PATIENCE_SECONDS", -1)
    with pytest.raises(ServerUnavailableError):
        fanning.fan_out(Transport(ServerUnavailableError("gone")), ASKED, None, lambda *_: None)
