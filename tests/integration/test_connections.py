"""What is answered on a connection before there is a request."""

import json
import socket

import pytest

from patience import PATIENCE_S


@pytest.fixture
def exchange(server):
    """Send bytes on a connection of their own; the reply's status, headers and body."""

    def call(data):
        with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
            connection.sendall(data)
            reply = b""
            while piece := connection.recv(65536):
                reply += piece
        head, _, body = reply.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return int(first.split()[1]), headers, body

    return call


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        (b"NONSENSE\r\n\r\n", 400, "bad_request"),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400, "bad_request"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n", 400, "bad_request"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
        (
            b"POST /api/runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: odd\r\n\r\n",
            501,
            "not_implemented",
        ),
    ],
)
def test_what_is_no_request_gets_a_problem(exchange, request_, status, code):
    found, headers, body = exchange(request_)

    assert (found, headers["content-type"]) == (status, "application/problem+json")
    problem = json.loads(body)
    assert (problem["status"], problem["code"]) == (status, code)
    assert headers["x-correlation-id"]


def test_a_body_that_is_cut_off_is_a_problem_and_ends_the_connection(exchange):
    head = b"POST /dev-login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    found, headers, _ = exchange(head + b"zz\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (found, headers["content-type"]) == (400, "application/problem+json")
