"""Encodes responses: JSON, problems and server-sent events."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from itertools import chain
from typing import cast

import orjson
from flask import Response, g, request

from runbook.api.context import correlation_id
from runbook.core.access import Principal
from runbook.core.document import Problem
from runbook.core.events import EventType, RunEvent
from runbook.engine.engine import Engine
from runbook.errors import AuthenticationError, RunbookError
from runbook.quick_dataclass import dataclass
from runbook.resources.activity import changes_json
from runbook.resources.event import event_json
from runbook.resources.problem import ProblemJson, problems_json, refusal_json

PROBLEM_TYPE = "application/problem+json"
EVENT_STREAM = "text/event-stream; charset=utf-8"
STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
RETRY_MS = 1000
HEADERS_NOW = b""
"""Makes the server send the headers, although there is no event yet."""
STILL_HERE = b": still here\n\n"
GATHERED_BYTES = 64 * 1024
KEPT_CHARACTERS = 256 * 1024

# Line ends according to Python's splitlines() and clients that use it. None of them may end a data
# line early, or output could forge an event.
_LINE_ENDS = re.compile("\r\n|[\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_JSON_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
_TEXTS = {
    HTTPStatus.BAD_REQUEST: "The request is not valid HTTP.",
    HTTPStatus.FORBIDDEN: "The proxy may not send requests to this server.",
    HTTPStatus.REQUEST_TIMEOUT: "The request's headers didn't arrive in time.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "The URL is too long.",
    HTTPStatus.EXPECTATION_FAILED: "The server doesn't support this Expect header.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "The headers are too large.",
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "Internal error. The server log has the details under this correlation ID."
    ),
    HTTPStatus.NOT_IMPLEMENTED: "This HTTP method or transfer coding is not supported.",
}
_CODES = {
    HTTPStatus.BAD_REQUEST: "bad_request",
    HTTPStatus.FORBIDDEN: "access_denied",
    HTTPStatus.REQUEST_TIMEOUT: "request_timeout",
    HTTPStatus.REQUEST_URI_TOO_LONG: "uri_too_long",
    HTTPStatus.EXPECTATION_FAILED: "expectation_failed",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "headers_too_large",
    HTTPStatus.INTERNAL_SERVER_ERROR: "internal_error",
    HTTPStatus.NOT_IMPLEMENTED: "not_implemented",
}


def json_reply(value: object, status: int = 200, **headers: str) -> Response:
    return Response(
        orjson.dumps(value, default=str),
        status,
        {name.replace("_", "-"): text for name, text in headers.items()},
        mimetype="application/json",
    )


def revalidated(reply: Response) -> Response:
    """The response with an ETag, or 304 if the client already has it.

    Only the client's own cache may keep it, and must ask each time: access may have changed.
    """
    reply.headers["Cache-Control"] = "private, no-cache"
    reply.vary.add("Authorization")
    reply.add_etag()
    found = reply.make_conditional(request)
    assert isinstance(found, Response)  # noqa: S101 - werkzeug's type is wider
    return found


def problem_reply(error: RunbookError) -> Response:
    """An error response: RFC 9457 members, plus `success` and `error` for old clients."""
    body = problem(error.http_status, error.code, error.message)
    details = dict(error.details)
    body["errors"] = problems_json(cast(Iterable[Problem], details.pop("problems", ())))
    reply = Response(
        orjson.dumps(body | details, default=str), error.http_status, mimetype=PROBLEM_TYPE
    )
    if error.http_status == 401:
        challenge = ', error="invalid_token"' if "Authorization" in request.headers else ""
        reply.headers["WWW-Authenticate"] = f'Bearer realm="runbook"{challenge}'
    if error.http_status == 503:
        reply.headers["Retry-After"] = "5"
    return reply


def bare_problem_reply(status: int, code: str, text: str, **headers: str) -> Response:
    """An error response for an error that has no class of ours."""
    reply = json_reply(problem(status, code, text), status, **headers)
    reply.mimetype = PROBLEM_TYPE
    return reply


def internal_error() -> Response:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return bare_problem_reply(status, _CODES[status], _TEXTS[status])


def problem(status: int, code: str, text: str) -> ProblemJson:
    known = {"instance": request.path, "correlation_id": g.get("correlation_id")}
    body = cast(ProblemJson, {**refusal_json(status, code, text), **known})
    if ref := (request.view_args or {}).get("ref"):
        body["runbook"] = ref
    return body


@dataclass(frozen=True, slots=True)
class Refusal:
    """A complete response."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def refusal(status: int, given_id: str = "") -> Refusal:
    """The problem for a status, with the request's correlation ID if it could be read."""
    known = HTTPStatus(status)
    chosen = correlation_id(given_id)
    problem = refusal_json(status, _CODES[known], _TEXTS[known])
    body = json.dumps(problem | {"correlation_id": chosen}).encode()
    headers = [
        ("Content-Type", PROBLEM_TYPE),
        ("Content-Length", str(len(body))),
        ("X-Correlation-Id", chosen),
    ]
    return Refusal(f"{status} {known.phrase}", headers, body)


def refusal_bytes(status: int) -> bytes:
    """The refusal as it goes over the wire, after which the connection is closed."""
    made = refusal(status)
    headers = [*made.headers, ("Connection", "close")]
    lines = [f"HTTP/1.1 {made.status}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + made.body


def json_line(value: object) -> str:
    """JSON on one line. Escapes every character that a client may take for a line end."""
    return json.dumps(value, ensure_ascii=False, default=str).translate(_JSON_LINE_ENDS)


def event_stream(chunks: Iterator[bytes]) -> Response:
    return Response(chunks, 200, STREAM_HEADERS, content_type=EVENT_STREAM)


def json_events(engine: Engine, run_id: str, after: int) -> Iterator[bytes]:
    """A run's events as JSON: `/api/runs/{id}/events`."""
    yield HEADERS_NOW
    blocks = Blocks()
    for event in engine.follow(run_id, after=after):
        if event is None:
            yield STILL_HERE
        else:
            data = f"data: {json_line(event_json(event))}\n\n".encode()
            yield blocks.start(event.type, event.n) + data


def change_events(
    engine: Engine, principal: Principal, still_valid: Callable[[], object]
) -> Iterator[bytes]:
    """The active runs, whenever they change: `/api/runs/changes`.

    Ends when `still_valid` raises AuthenticationError, because the token has expired.
    """
    yield HEADERS_NOW
    blocks = Blocks()
    try:
        for activity in engine.live.follow(principal):
            still_valid()
            if activity is None:
                yield STILL_HERE
            else:
                data = f"data: {json_line(changes_json(activity))}\n\n".encode()
                yield blocks.start("changed") + data
    except AuthenticationError:
        return


def raw_events(engine: Engine, run_id: str) -> Iterator[bytes]:
    """A run's events in the form of execute: output as text, then one `done`."""
    yield HEADERS_NOW
    blocks = Blocks()
    seen = SeenOutput(engine, run_id)
    for event in engine.follow(run_id):
        if event is None:
            yield STILL_HERE
            continue
        start = blocks.start(event.type, event.n)
        if event.type is EventType.DONE:
            yield from gathered([start, b"data: "], done_pieces(event, seen), [b"\n\n"])
        else:
            seen.add(event)
            yield start + _raw_data(event)


def done_reply(engine: Engine, run_id: str) -> Iterator[bytes]:
    """Wait until the run finishes, then yield the `done` object as JSON."""
    seen = SeenOutput(engine, run_id)
    for event in engine.follow(run_id):
        if event is None:
            yield b" "  # white space before the object keeps proxies from timing out
        elif event.type is EventType.DONE:
            yield from gathered(done_pieces(event, seen))
        else:
            seen.add(event)


class Blocks:
    """Starts the blocks of a stream. `event` comes first: old clients look for `event: done` there.

    `retry` is part of the first block, since clients may take a separate block for an event.
    """

    def __init__(self) -> None:
        self._retry = f"retry: {RETRY_MS}\n"

    def start(self, name: str, number: int | None = None) -> bytes:
        retry, self._retry = self._retry, ""
        last_id = "" if number is None else f"id: {number}\n"
        return f"event: {name}\n{last_id}{retry}".encode()


class SeenOutput:
    """The output so far: in memory while it is small, else read from the store again."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine = engine
        self._run_id = run_id
        self._texts: dict[EventType, list[str]] = {EventType.STDOUT: [], EventType.STDERR: []}
        self._room = KEPT_CHARACTERS

    def add(self, event: RunEvent) -> None:
        if event.text is None or self._room < 0:
            return
        self._room -= len(event.text)
        if self._room >= 0:
            self._texts[event.type].append(event.text)
        else:
            self._texts.clear()

    def texts(self, stream: EventType, before: int) -> Iterator[str]:
        """The stream's output in chunks; `before` is the number of the `done` event."""
        if self._room >= 0:
            yield from self._texts[stream]
            return
        after = 0
        while after < before - 1 and (
            events := self._engine.runs.events(self._run_id, after=after)
        ):
            yield "".join(event.text or "" for event in events if event.type is stream)
            after = events[-1].n


def done_pieces(done: RunEvent, seen: SeenOutput) -> Iterator[bytes]:
    """The `done` object on one line, serialized in chunks."""
    data = dict(done.data or {})
    head = {name: data.pop(name, None) for name in ("success", "runbook", "return_code")}
    yield json_line(head)[:-1].encode()
    for stream in (EventType.STDOUT, EventType.STDERR):
        yield f', "{stream}": "'.encode()
        for text in seen.texts(stream, done.n):
            yield json_line(text)[1:-1].encode()
        yield b'"'
    yield f", {json_line(data)[1:]}".encode()


def gathered(*series: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces joined to fewer ones: each piece costs a packet, and wakes the client up."""
    waiting: list[bytes] = []
    size = 0
    for piece in chain.from_iterable(series):
        waiting.append(piece)
        size += len(piece)
        if size >= GATHERED_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _raw_data(event: RunEvent) -> bytes:
    if event.type.is_output:
        lines = _LINE_ENDS.split(event.text or "")
        data = "\n".join(f"data: {line}" for line in lines)
    else:
        data = f"data: {json_line(event_json(event))}"
    return f"{data}\n\n".encode()
