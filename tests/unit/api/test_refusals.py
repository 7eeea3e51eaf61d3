"""Errors that come before a view or from the framework: problems, like all others."""

import io
import json
import logging

import gevent.socket
import pytest
from gunicorn.config import Config
from gunicorn.http import errors

from patience import PATIENCE_S
from runbook.api import web_worker
from runbook.api.web_worker import TimedBody, WebWorker


@pytest.mark.parametrize("path", ["/healthz", "/health", "/metricz", "/api/none", "/docs/none"])
def test_an_unknown_path_is_a_problem(stranger, path):
    reply = stranger.get(path, headers={"Accept": "*/*"})
    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")
    assert reply.json["code"] == "not_found"


def test_an_unknown_method_is_a_problem(stranger):
    reply = stranger.open("/api/runs", method="FROB", headers={"X-Correlation-Id": "c-1"})
    assert (reply.status_code, reply.mimetype) == (501, "application/problem+json")
    assert reply.json["code"] == "not_implemented"
    assert reply.json["correlation_id"] == reply.headers["X-Correlation-Id"] == "c-1"


class Connection:
    """What a client that sent something unreadable gets."""

    def __init__(self):
        self.sent = b""

    def gettimeout(self):
        return None

    def setblocking(self, _blocking):
        pass

    def settimeout(self, _seconds):
        pass

    def sendall(self, data):
        self.sent += data

    def shutdown(self, _how):
        pass

    @staticmethod
    def recv(_size):
        return b""


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidRequestLine("x"), 400, "bad_request"),
        (errors.InvalidHeader("x"), 400, "bad_request"),
        (errors.InvalidChunkSize(b"x"), 400, "bad_request"),
        (web_worker.HeadersTimeoutError(), 408, "request_timeout"),
        (errors.LimitRequestLine(9, 8), 414, "uri_too_long"),
        (errors.LimitRequestHeaders("x"), 431, "headers_too_large"),
        (errors.ExpectationFailed("x"), 417, "expectation_failed"),
        (errors.UnsupportedTransferCoding("x"), 501, "not_implemented"),
        (errors.InvalidResponseHeader("x"), 500, "internal_error"),
    ],
)
def test_a_request_that_cannot_be_read_is_answered_with_a_problem(error, status, code):
    connection = Connection()

    WebWorker.handle_error(None, None, connection, ("192.0.2.1", 1), error)

    head, _, body = connection.sent.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    found = dict(line.split(": ", 1) for line in headers)
    assert first.startswith(f"HTTP/1.1 {status} ")
    assert found["Content-Type"] == "application/problem+json"
    assert found["Content-Length"] == str(len(body))
    assert found["Connection"] == "close"
    problem = json.loads(body)
    assert (problem["status"], problem["code"], problem["success"]) == (status, code, False)
    assert problem["correlation_id"] == found["X-Correlation-Id"]


@pytest.fixture
def answer_to():
    """What a web worker answers to a client that sends this, and then nothing more."""
    worker = WebWorker.__new__(WebWorker)
    worker.cfg, worker.log = Config(), logging.getLogger("test")
    worker.cfg.settings["keepalive"].value = 0.05

    def answer(data):
        ours, theirs = gevent.socket.socketpair()
        with ours, theirs:
            theirs.sendall(data)
            worker.handle(theirs, ours, ("192.0.2.1", 1))
            return theirs.recv(65_536)

    return answer


def test_half_the_headers_are_a_timeout(answer_to):
    head, _, body = answer_to(b"GET /livez HTTP/1.1\r\nHost: a").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["code"] == "request_timeout"


def test_an_idle_connection_is_closed_without_an_answer(answer_to):
    assert answer_to(b"") == b""


class Stalled:
    """A body of which the rest never comes."""

    @staticmethod
    def read(_size=None):
        web_worker.gevent.sleep(60)


class Malformed:
    @staticmethod
    def read(_size=None):
        raise errors.InvalidChunkSize(b"x")


def post(client, body, length):
    environ = {"wsgi.input": body, "wsgi.input_terminated": True}
    headers = {"Content-Length": str(length), "Content-Type": "application/json"}
    return client.post("/api/runs/1/retry", headers=headers, environ_overrides=environ)


def test_a_body_that_stalls_is_a_timeout(client):
    body = TimedBody(Stalled, seconds=0.01)
    reply = post(client, body, 100)
    assert (reply.status_code, reply.json["code"]) == (408, "request_timeout")
    assert body.failed, "the connection must be closed"


def test_a_malformed_body_is_the_clients_fault(client):
    body = TimedBody(Malformed)
    reply = post(client, body, 100)
    assert (reply.status_code, reply.json["code"]) == (400, "bad_request")
    assert body.failed


def test_a_body_that_arrives_slowly_has_more_time():
    body = TimedBody(io.BytesIO(b"x" * 4096), seconds=PATIENCE_S)
    before = body._deadline
    assert body.read() == b"x" * 4096
    assert body._deadline == before + 4096 / web_worker.MIN_BYTES
    assert not body.failed
