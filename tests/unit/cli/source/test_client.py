"""The HTTP client: problems become errors, streams are taken up where they broke."""

import json
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.cli.source.client import Client
from runbook.errors import (
    AccessDeniedError,
    AuthenticationError,
    ConflictError,
    InvalidRunbookError,
    NotFoundError,
    QueueFullError,
    RequestError,
    ServerUnavailableError,
)
from runbook.script.sse import MAX_EVENT_BYTES, EventParser, ServerEvent


def client(handler, token="t"):
    transport = httpx.MockTransport(handler)
    return Client("http://server:8083", token, transport=transport, pause=lambda _: None)


def event(n, type_="stdout"):
    return {"n": n, "at": "2026-01-01T00:00:00.000Z", "type": type_}


def stream(*events):
    return b"".join(
        f"id: {e['n']}\nevent: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events
    )


class Broken(httpx.SyncByteStream):
    """A stream whose connection is lost after some bytes."""

    def __init__(self, data):
        self.data = data

    def __iter__(self):
        yield self.data
        raise httpx.ReadError("connection lost")


# -- server-sent events --------------------------------------------------------------------------


def parse(*pieces):
    parser = EventParser()
    return [found for piece in pieces for found in parser.feed(piece)]


def test_events_have_ids_types_and_data():
    assert parse(b"retry: 1000\n\n: comment\n\nid: 4\nevent: stdout\ndata: a\ndata: b\n\n") == [
        ServerEvent("4", "stdout", "a\nb")
    ]


def test_an_event_without_an_end_is_none():
    assert parse(b"data: cut off\n") == []


@settings(deadline=None)
@given(st.binary(max_size=50), st.lists(st.integers(0, 60)))
def test_the_size_of_pieces_does_not_matter(noise, cuts):
    data = noise.replace(b"\n", b"") + b"\r\n\r\nid: 1\r\ndata: {\xc3\xa4}\r\n\r\ndata:x\n\n"
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    assert parse(*(data[a:b] for a, b in pairwise(places))) == parse(data)


def test_a_line_without_end_is_not_collected_for_ever():
    parser = EventParser()
    with pytest.raises(ServerUnavailableError):
        for _ in range(MAX_EVENT_BYTES // 2**20 + 1):
            list(parser.feed(b"x" * 2**20))


# -- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"code": "invalid_token", "detail": "expired"}, AuthenticationError),
        (403, {"code": "access_denied", "detail": "no"}, AccessDeniedError),
        (404, {"code": "not_found"}, NotFoundError),
        (400, {"code": "bad_request"}, RequestError),
        (400, {"code": "invalid_runbook"}, InvalidRunbookError),
        (409, {"code": "conflict"}, ConflictError),
        (503, {"code": "queue_full"}, QueueFullError),
        (503, {"code": "unheard_of"}, QueueFullError),
        (429, None, QueueFullError),
        (500, None, ServerUnavailableError),
        (302, None, RequestError),
        (418, ["a list"], RequestError),
    ],
)
def test_a_problem_is_the_error_that_it_names(status, body, kind):
    with client(lambda _: httpx.Response(status, json=body)) as server, pytest.raises(kind):
        server.get("/api/runs")


def test_the_text_of_a_problem_is_kept():
    reply = httpx.Response(403, json={"code": "access_denied", "detail": "roles (not present)"})
    with client(lambda _: reply) as server, pytest.raises(AccessDeniedError, match="roles"):
        server.get("/api/runs")


def test_what_is_not_ours_is_said_to_be_so():
    with (
        client(lambda _: httpx.Response(200, text="<html>")) as server,
        pytest.raises(ServerUnavailableError),
    ):
        server.get("/api/runs")


def test_a_server_that_does_not_answer_is_unavailable():
    def refuse(request):
        raise httpx.ConnectError("Connection refused", request=request)

    with client(refuse) as server, pytest.raises(ServerUnavailableError, match="server:8083"):
        server.get("/api/runs")


def test_the_token_travels_in_the_header_only():
    def check(request):
        assert request.headers["Authorization"] == "Bearer t"
        assert "t" not in request.url.params
        return httpx.Response(200, json={})

    with client(check) as server:
        assert server.get("/api/runs", limit=1) == {}


@pytest.mark.parametrize("url", ["server", "ftp://server", "http://", "http://user:pw@server"])
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(RequestError):
        Client(url)


def test_the_address_of_the_runbooks_names_the_server_too():
    def check(request):
        assert request.url.path == "/api/runs"
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(check)
    Client("http://server/api/runbooks/", transport=transport).get("/api/runs")


def test_a_runbook_that_is_not_valid_is_an_answer():
    report = {"success": False, "runbook": "A.md", "errors": ["e"], "warnings": [], "problems": []}
    with client(lambda _: httpx.Response(400, json=report)) as server:
        assert server.validate("A.md", {}) == report


def test_a_request_that_is_not_understood_is_no_report():
    body = {"code": "bad_request", "detail": "no", "errors": []}
    with client(lambda _: httpx.Response(400, json=body)) as server, pytest.raises(RequestError):
        server.validate("A.md", {})


# -- following -----------------------------------------------------------------------------------


def test_a_lost_connection_is_taken_up_without_gap_or_duplicate():
    asked = []

    def serve(request):
        asked.append(request.headers["Last-Event-ID"])
        if len(asked) == 1:
            return httpx.Response(200, stream=Broken(stream(event(1), event(2)) + b"id: 3\ndata"))
        if len(asked) == 2:
            return httpx.Response(502)
        return httpx.Response(200, content=stream(event(2), event(3), event(4, "done")))

    with client(serve) as server:
        found = [item["n"] for item in server.events("run")]
    assert found == [1, 2, 3, 4]
    assert asked == ["0", "2", "2"]


def test_a_server_that_was_never_there_is_not_waited_for():
    def refuse(request):
        raise httpx.ConnectError("Connection refused", request=request)

    with client(refuse) as server, pytest.raises(ServerUnavailableError):
        list(server.events("run"))


def test_a_server_that_stays_away_is_given_up(monkeypatch):
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr("runbook.cli.source.client.time.monotonic", lambda: next(clock))
    replies = iter([httpx.Response(200, stream=Broken(stream(event(1))))])

    def serve(_request):
        return next(replies, httpx.Response(503))

    with client(serve) as server, pytest.raises(ServerUnavailableError):
        list(server.events("run"))


def test_an_ended_run_whose_events_were_read_has_no_more():
    def serve(request):
        if request.url.path.endswith("/events"):
            return httpx.Response(200, content=b"retry: 1000\n\n")
        return httpx.Response(200, json={"finished_at": "2026-01-01T00:00:00Z", "last_event": 7})

    with client(serve) as server:
        assert list(server.events("run", after=7)) == []


def test_a_run_that_may_not_be_seen_is_an_error_at_once():
    with (
        client(lambda _: httpx.Response(404, json={"code": "not_found"})) as server,
        pytest.raises(NotFoundError),
    ):
        list(server.events("run"))


def test_events_that_are_not_ours_are_refused():
    with (
        client(lambda _: httpx.Response(200, content=b"data: hello\n\n")) as server,
        pytest.raises(ServerUnavailableError),
    ):
        list(server.events("run"))
