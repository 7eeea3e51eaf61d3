"""Lists, reads, follows and cancels runs, and returns their logs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, request

from runbook.api import accept, wire
from runbook.api.context import engine, principal, run_of, token_check
from runbook.api.parameters import (
    BEYOND_ALL,
    BOOLEAN,
    INTEGER,
    PAGE,
    PAGE_TEXT,
    TEXT,
    TEXTS,
    moment,
    number,
    one_of,
    page_size,
    switch,
)
from runbook.api.routing import Limit, Parameter, RoutePolicy, route
from runbook.core.events import EventType
from runbook.core.permissions import Permission
from runbook.core.run import Purpose, Relation, Run
from runbook.core.status import RunStatus
from runbook.errors import RequestError
from runbook.resources.log import log_line_json
from runbook.resources.rerun import run_document_json
from runbook.resources.run import run_json, run_page_json, whole_run_json
from runbook.store.log.logs import Logs, LogSearch
from runbook.store.models import InputMatch, LogQuery, RunFilter
from runbook.store.run.input_search import MAX_EXAMINED

blueprint = Blueprint("runs", __name__, url_prefix="/api/runs")

MAX_LINES, DEFAULT_LINES = 10_000, 1000
MAX_HITS, DEFAULT_HITS = 1000, 100
PIECE_BYTES = 256 * 1024
UNSATISFIABLE = "requested_range_not_satisfiable"
_RELATION: dict[str, object] = {"type": "string", "enum": [relation.value for relation in Relation]}
_PURPOSE: dict[str, object] = {"type": "string", "enum": [purpose.value for purpose in Purpose]}
_STATUS = "|".join(RunStatus)
_STATUSES: dict[str, object] = {"type": "string", "pattern": f"^(({_STATUS})(,({_STATUS}))*)?$"}
# No `default`: some generated clients send it, and `lines` asks for JSON lines.
_LINES = INTEGER | {"maximum": MAX_LINES}
_STREAMS = {kind.value: kind for kind in EventType if kind.is_output}
_STREAM: dict[str, object] = {"type": "string", "enum": list(_STREAMS)}
_HITS = INTEGER | {"maximum": MAX_HITS}
_EVENT_ID = INTEGER | {"maximum": BEYOND_ALL}
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@route(
    blueprint,
    "",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "List the runs that you may see, newest first",
        parameters=(
            Parameter("id", "Filter by run ID; repeatable", schema=TEXTS),
            Parameter("runbook", "Filter by runbook ref; repeatable", schema=TEXTS),
            Parameter("status", "Filter by status; separate several with commas", schema=_STATUSES),
            Parameter("who", "Filter by requester"),
            Parameter("since", "Created at or after this ISO 8601 time"),
            Parameter("until", "Created before this ISO 8601 time"),
            Parameter("q", "Filter by text in the ref, name or reason, or by an ID's start or end"),
            Parameter(
                "input",
                "Filter by a stored input: `NAME=value` for this value, or a text that any value "
                "contains; repeatable. Secrets are never stored",
                schema=TEXTS,
            ),
            Parameter("device", "Filter by a device that they were for"),
            Parameter("relation", "Filter by relation to an earlier run", schema=_RELATION),
            Parameter("dry_run", "Filter by dry run", schema=BOOLEAN),
            Parameter(
                "purpose",
                "List runs for this purpose instead, which the list leaves out: `choices` for the "
                "choices of forms",
                schema=_PURPOSE,
            ),
            Parameter(
                "active", "Filter by state: active (true) or finished (false)", schema=BOOLEAN
            ),
            Parameter("cursor", "`next_cursor` of the previous page", schema=TEXT),
            Parameter("limit", PAGE_TEXT, schema=PAGE),
        ),
        schema="RunPage",
        description=(
            "You see a run if you started it or may execute its runbook now. `next_cursor` and the "
            "Link header lead to the next page. With `input`, a page looks at up to "
            f"{MAX_EXAMINED:,} runs that match the other filters: it can hold fewer runs than "
            "`limit`, even none, while `next_cursor` continues the search."
        ),
        headers=("Link",),
    ),
)
def list_runs() -> Response:
    limit = page_size()
    page = engine().runs.page(
        principal(), _filter(), cursor=request.args.get("cursor"), limit=limit
    )
    reply = wire.json_reply(run_page_json(page.runs, page.next_cursor))
    if page.next_cursor:
        query = request.args.to_dict(flat=False) | {"cursor": [page.next_cursor]}
        reply.headers["Link"] = f'<{request.path}?{urlencode(query, doseq=True)}>; rel="next"'
    return reply


def _filter() -> RunFilter:
    return RunFilter(
        ids=_given("id"),
        refs=_given("runbook"),
        statuses=frozenset(_statuses(request.args.get("status", ""))),
        subject=request.args.get("who") or None,
        since=moment("since"),
        until=moment("until"),
        text=request.args.get("q") or None,
        relation=one_of("relation", Relation),
        dry_run=switch("dry_run"),
        purpose=one_of("purpose", Purpose),
        active=switch("active"),
        device=request.args.get("device") or None,
        inputs=tuple(map(InputMatch.of, filter(None, request.args.getlist("input")))),
    )


def _given(name: str) -> frozenset[str] | None:
    return frozenset(filter(None, request.args.getlist(name))) or None


def _statuses(text: str) -> Iterator[RunStatus]:
    for word in filter(None, (part.strip() for part in text.split(","))):
        try:
            yield RunStatus(word)
        except ValueError:
            known = ", ".join(RunStatus)
            raise RequestError(f"status {word!r} is not one of {known}") from None


@route(
    blueprint,
    "/changes",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NONE,
        "Stream active runs: one event immediately, then one per change",
        description="For lists that stay current. The stream ends when the token expires.",
        media=("text/event-stream",),
        schema="Changes",
    ),
)
def follow_changes() -> Response:
    return wire.event_stream(wire.change_events(engine(), principal(), token_check()))


@route(
    blueprint,
    "/<run_id>",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "Get a run, its steps, and the tree of runs that it called",
        schema="WholeRun",
        revalidates=True,
    ),
)
def get_run(run_id: str) -> Response:
    body = whole_run_json(engine().runs.details(run_of(run_id), principal()))
    return wire.revalidated(wire.json_reply(body))


@route(
    blueprint,
    "/<run_id>/document",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "Get the text that the run executed, and whether the runbook has changed since",
        schema="RunDocument",
        revalidates=True,
    ),
)
def get_run_document(run_id: str) -> Response:
    found = engine().runs.executed(run_of(run_id))
    body = run_document_json(found.digest, found.content, found.current_digest)
    return wire.revalidated(wire.json_reply(body))


@route(
    blueprint,
    "/<run_id>/events",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NONE,
        "Follow a run: stream its events as JSON, ending with done",
        description=(
            "To continue a stream, send the last `id` as Last-Event-ID. You get every event once, "
            "even after the run has ended."
        ),
        replies={204: "The run is over, and has no event after this one: don't reconnect"},
        media=("text/event-stream",),
        parameters=(
            Parameter(
                "Last-Event-ID", "Continue after the event with this number", "header", _EVENT_ID
            ),
            Parameter(
                "after", "Same as Last-Event-ID, for clients that can't set headers", schema=INTEGER
            ),
        ),
        schema="Event",
    ),
)
def follow_run(run_id: str) -> Response:
    run = run_of(run_id)
    after = number("after", 0)
    if (last := _last_event_id()) is not None:
        after = last
    if run.status.terminal and after >= run.log.last_event:
        return Response(status=204)  # any other reply makes an EventSource reconnect forever
    return wire.event_stream(wire.json_events(engine(), run.id, after))


def _last_event_id() -> int | None:
    """The number in Last-Event-ID. Raises RequestError if it is not one of our IDs."""
    last = request.headers.get("Last-Event-ID")
    if last is None:
        return None
    if not (last.isascii() and last.isdigit() and len(last) < 20 and int(last) <= BEYOND_ALL):
        raise RequestError("Last-Event-ID must be the number of an event, 0 or greater")
    return int(last)


@route(
    blueprint,
    "/<run_id>/log",
    policy=RoutePolicy(
        Permission.RUN_READ,
        Limit.NONE,
        "Get the output of a run as text or JSON lines, or search it",
        replies={206: "The requested range", 416: "The range is beyond the end of the log"},
        description=(
            "By default, the output as text. With `from`, `lines` or `stream`, one JSON object per "
            "line. With `q`, the matching lines and their count."
        ),
        media=("text/plain", "application/json", accept.JSON_LINES),
        schema="LogHits",
        headers=("X-Log-Lines",),
        parameters=(
            Parameter("from", "First line to return, from 1, as JSON lines", schema=INTEGER),
            Parameter(
                "lines",
                f"Number of lines, up to {MAX_LINES}; {DEFAULT_LINES} by default",
                schema=_LINES,
            ),
            Parameter(
                "q",
                "Text to search for, ignoring case; returns the matches and their count",
                schema=TEXT,
            ),
            Parameter("regex", "Treat `q` as an RE2 regular expression", schema=BOOLEAN),
            Parameter("stream", "Return only lines of this stream, as JSON lines", schema=_STREAM),
            Parameter("skip", "Number of matches to skip", schema=INTEGER),
            Parameter(
                "limit",
                f"Maximum number of matches, up to {MAX_HITS}; {DEFAULT_HITS} by default",
                schema=_HITS,
            ),
            Parameter("Range", "Byte range of the plain text, as `bytes=FIRST-LAST`", "header"),
        ),
    ),
)
def get_run_log(run_id: str) -> Response:
    run = run_of(run_id)
    first, count = number("from", 1), number("lines", DEFAULT_LINES, most=MAX_LINES)
    query, stream = _log_query(), _stream()
    if query is not None:
        return _search(run, query)
    if not {"from", "lines", "stream"}.isdisjoint(request.args):
        return _lines(run, max(1, first), count, stream)
    return _plain(run)


def _stream() -> EventType | None:
    """Raises RequestError for an unknown stream, or one in a search, which reads both."""
    word = request.args.get("stream")
    if word is None:
        return None
    if word not in _STREAMS:
        raise RequestError(f"stream {word!r} is not one of {', '.join(_STREAMS)}")
    if "q" in request.args:
        raise RequestError("stream can't be combined with q")
    return _STREAMS[word]


def _log_query() -> LogQuery | None:
    is_pattern = switch("regex") is True
    skip, limit = number("skip", 0), number("limit", DEFAULT_HITS, most=MAX_HITS)
    text = request.args.get("q")
    return None if text is None else LogQuery(text, is_pattern, skip, limit)


def _search(run: Run, query: LogQuery) -> Response:
    found = engine().runs.logs.search(run.id, query)
    if accept.prefers_json_lines():
        return Response(_hit_lines(found), 200, mimetype=accept.JSON_LINES)
    hits = [log_line_json(hit) for hit in found]
    return wire.json_reply({"query": query.text, "count": found.count, "hits": hits})


def _hit_lines(found: LogSearch) -> Iterator[bytes]:
    """Each match as soon as it is found, then their count."""
    for hit in found:
        yield orjson.dumps(log_line_json(hit)) + b"\n"
    yield orjson.dumps({"count": found.count}) + b"\n"


def _lines(run: Run, first: int, count: int, stream: EventType | None) -> Response:
    lines = engine().runs.logs.lines(run.id, first, count, stream)
    body = b"".join(orjson.dumps(log_line_json(line)) + b"\n" for line in lines)
    headers = {"X-Log-Lines": str(run.log.lines)}
    return Response(body, 200, headers, mimetype=accept.JSON_LINES)


def _plain(run: Run) -> Response:
    size = engine().runs.logs.size(run.id).bytes
    headers = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}
    asked = _asked_range(_range_header(), size)
    if asked == "unsatisfiable":
        text = f"The range is beyond the end of the log, which has {size} bytes."
        where = f"bytes */{size}"
        return wire.bare_problem_reply(416, UNSATISFIABLE, text, Content_Range=where)
    start, end = asked or (0, size)
    headers["Content-Length"] = str(end - start)
    status = 200
    if asked is not None:
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    pieces = _log_pieces(engine().runs.logs, run.id, start, end)
    return Response(pieces, status, headers, content_type="text/plain; charset=utf-8")


def _range_header() -> str | None:
    """RFC 9110: ranges apply to GET only, and If-Range never matches without a validator."""
    if request.method != "GET" or "If-Range" in request.headers:
        return None
    return request.headers.get("Range")


def _asked_range(
    header: str | None, size: int
) -> tuple[int, int] | Literal["unsatisfiable"] | None:
    """The half-open range of a Range header (RFC 9110); None if it must be ignored."""
    match = _RANGE.fullmatch((header or "").strip())
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    if last and first and int(last) < int(first):
        return None
    return (start, end) if start < size and start < end else "unsatisfiable"


def _log_pieces(logs: Logs, run_id: str, start: int, end: int) -> Iterator[bytes]:
    """Read the log while sending it, outside the request's context."""
    while start < end:
        piece = logs.range(run_id, start, min(PIECE_BYTES, end - start))
        if not piece:
            return
        yield piece
        start += len(piece)


@route(
    blueprint,
    "/<run_id>/cancel",
    policy=RoutePolicy(
        Permission.RUN_CANCEL,
        Limit.NORMAL,
        "Request cancellation; a finished run stays unchanged",
        replies={202: "Cancellation requested; follow the run to see it stop"},
        schema="Run",
    ),
    methods=("POST",),
)
def cancel_run(run_id: str) -> Response:
    run = engine().cancel(run_of(run_id), principal())
    return wire.json_reply(run_json(run), 200 if run.status.terminal else 202)
