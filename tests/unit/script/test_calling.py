"""Calls over HTTP: what is asked, and what is done about answers that go wrong."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runbook.cli import call as command
from runbook.cli.options.inputs import Assignment
from runbook.errors import (
    AccessDeniedError,
    ConflictError,
    InvalidRunbookError,
    QueueFullError,
    RequestError,
    RunbookError,
    ServerUnavailableError,
    StoreDamagedError,
    error_named,
)
from runbook.script import calling, limits
from runbook.script.calling import (
    Caller,
    CallRequest,
    HttpTransport,
    SocketTransport,
    file_inputs,
    follow,
)

SCHEMA = {"properties": {"CONFIG": {"x-type": "file"}, "NOTE": {"x-type": "text"}, "ODD": 1}}
DONE = {"n": 3, "type": "done", "success": True, "outputs": {"a": "1"}}


def event(value):
    return f"id: {value['n']}\nevent: {value['type']}\ndata: {json.dumps(value)}\n\n".encode()


class Handler(BaseHTTPRequestHandler):
    """Answers each request with the next of `server.answers`: a status and a body."""

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        self.server.asked.append((self.command, self.path, dict(self.headers), body))
        status, reply = self.server.answers.pop(0)
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(reply if isinstance(reply, bytes) else json.dumps(reply).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.answers = [], []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def way(server, monkeypatch):
    monkeypatch.setattr(calling, "RETRY_SECONDS", 0)
    url = f"http://127.0.0.1:{server.server_port}/under/api/runbooks"
    return HttpTransport(Caller("tok", url, "", "corr-1", '["A.md"]'))


def test_what_is_asked_names_the_caller(server, way):
    server.answers = [(202, {"run_id": "r/1"}), (200, event(DONE))]
    request = CallRequest("a dir/B.md", {"X": "1"}, confirm="web1")

    assert follow(way, request, None) == DONE
    (_, path, headers, body), (_, events, _, _) = server.asked
    assert path == "/under/api/runbooks/a%20dir/B.md/execute"
    assert events == "/under/api/runs/r%2F1/events"
    assert json.loads(body) == {"env_vars": {"X": "1"}, "confirm": "web1"}
    assert headers["Authorization"] == "Bearer tok"
    assert headers["Prefer"] == "respond-async"
    assert (headers["X-Correlation-Id"], headers["X-Recursion-Stack"]) == ("corr-1", '["A.md"]')


def test_the_progress_of_the_called_run_is_told(server, way):
    reports = [
        {"n": n, "type": "progress", "percent": percent, "text": "Cloning"}
        for n, percent in enumerate((0, 50, None, 100), start=1)
    ]
    server.answers = [
        (202, {"run_id": "r"}),
        (200, b"".join(map(event, reports)) + event({**DONE, "n": 9})),
    ]
    heard = []

    follow(way, CallRequest("B.md", {}), None, lambda *told: heard.append(told))

    assert heard == [(0, "Cloning"), (50, "Cloning"), (100, "Cloning")]


def test_a_stream_that_breaks_is_taken_up_where_it_broke(server, way):
    first = event({"n": 1, "type": "queued"}) + event({"n": 2, "type": "started"})
    server.answers = [
        (202, {"run_id": "r"}),
        (200, first + b"id: 3\nevent: done\nda"),
        (502, b"a gateway's page"),
        (200, b""),
        (200, event(DONE)),
    ]
    events = list(way.events(CallRequest("B.md", {})))

    assert [e.get("n") for e in events] == [None, 1, 2, 3]
    assert [headers["Last-Event-ID"] for _, _, headers, _ in server.asked[1:]] == [
        "0",
        "2",
        "2",
        "2",
    ]


def test_patience_ends(server, way, monkeypatch):
    monkeypatch.setattr(calling, "PATIENCE_SECONDS", -1)
    server.answers = [(202, {"run_id": "r"}), (200, b": still here\n\n")]
    with pytest.raises(ServerUnavailableError, match="127"):
        follow(way, CallRequest("B.md", {}), None)


def test_a_run_that_may_not_be_seen_is_not_tried_again(server, way):
    server.answers = [(202, {"run_id": "r"}), (401, {"code": "invalid_token", "detail": "void"})]
    with pytest.raises(RunbookError, match="void"):
        follow(way, CallRequest("B.md", {}), None)


@pytest.mark.parametrize(
    ("status", "body", "kind", "text", "hint"),
    [
        (403, {"code": "access_denied", "detail": "no"}, AccessDeniedError, "no", None),
        (400, {"error": "old"}, RequestError, "old", None),
        (400, {"code": "bad_request", "detail": "x", "hint": "do"}, RequestError, "x", "do"),
        (429, {"detail": "slow"}, QueueFullError, "slow", "try again in 7 s"),
        (500, b"<html>", ServerUnavailableError, "HTTP 500", None),
        (202, b"[]", ServerUnavailableError, "response", None),
    ],
)
def test_a_refusal_keeps_its_words(server, way, status, body, kind, text, hint):
    server.answers = [(status, body)]
    with pytest.raises(kind, match=text) as caught:
        follow(way, CallRequest("B.md", {}), None)
    assert caught.value.details.get("hint") == hint


@pytest.mark.parametrize("url", ["", "ftp://x/api/runbooks", "nowhere", "http://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(RequestError, match="RUNBOOK_URL must be"):
        calling.transport(Caller("t", url))


def test_the_socket_comes_before_the_address():
    assert isinstance(calling.transport(Caller("t", "http://x", "/a/socket")), SocketTransport)


def test_a_socket_that_is_gone_is_said_with_what_to_know(tmp_path):
    way = calling.transport(Caller("t", socket=str(tmp_path / "none")))
    with pytest.raises(ServerUnavailableError, match="No such file") as caught:
        follow(way, CallRequest("B.md", {}), None)
    assert caught.value.details["hint"] == calling.CALL_ENDS


def test_inputs_that_are_too_large_are_not_sent():
    way = calling.transport(Caller("t", socket="/nowhere"))
    with pytest.raises(RequestError, match="2 MiB"):
        follow(way, CallRequest("B.md", {"X": "x" * limits.MAX_REQUEST_BYTES}), None)


# -- inputs that are files -----------------------------------------------------------------------


def test_the_schema_names_the_files(server, way):
    server.answers = [(200, SCHEMA), (404, {"code": "not_found"}), (200, {})]
    assert file_inputs(way, "a/B.md") == {"CONFIG"}
    assert file_inputs(way, "None.md") == file_inputs(way, "Empty.md") == frozenset()
    assert server.asked[0][1] == "/under/api/runbooks/a/B.md/inputs"


def test_only_inputs_that_are_files_are_read(server, monkeypatch, tmp_path):
    monkeypatch.setenv("RUNBOOK_API_TOKEN", "t")
    monkeypatch.setenv("RUNBOOK_URL", f"http://127.0.0.1:{server.server_port}/api/runbooks")
    monkeypatch.delenv("RUNBOOK_SOCKET", raising=False)
    (tmp_path / "sw1.cfg").write_bytes(b"\0\xff")
    given = [
        Assignment("CONFIG", f"@{tmp_path}/sw1.cfg"),
        Assignment("NOTE", "@all"),
        Assignment("N", "1"),
    ]

    assert command.assigned_values("B.md", given[2:]) == {"N": "1"}
    assert server.asked == []
    server.answers = [(200, SCHEMA), (202, {"run_id": "r"}), (200, event(DONE))]
    values = command.assigned_values("B.md", given)
    assert command.script.call("B.md", values, quiet=True) == {"a": "1"}
    assert json.loads(server.asked[1][3])["env_vars"] == {
        "CONFIG": {"name": "sw1.cfg", "content_base64": base64.b64encode(b"\0\xff").decode()},
        "NOTE": "@all",
        "N": "1",
    }


@pytest.mark.parametrize("value", ["x", 1, 1.5, True, None])
def test_plain_values_are_sent_as_they_are(value):
    assert calling.sent(value) is value


def test_lists_and_objects_are_sent_as_json_text():
    assert calling.sent(["ä", {"a": 1}]) == '["ä", {"a": 1}]'


# -- errors by name ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("invalid_runbook", 500, InvalidRunbookError),
        ("store_damaged", 503, StoreDamagedError),  # a kind of another error
        ("conflict", 409, ConflictError),
        ("unheard_of", 403, AccessDeniedError),
        (None, 503, QueueFullError),
        ("error", 500, ServerUnavailableError),  # a class without a code of its own has none here
        (["odd"], 418, RequestError),
    ],
)
def test_an_error_is_known_by_its_code_or_its_status(code, status, kind):
    error = error_named(code, status, "text", hint="do")
    assert type(error) is kind
    assert (error.message, error.details) == ("text", {"hint": "do"})
