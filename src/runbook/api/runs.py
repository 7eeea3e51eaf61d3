"""Runs: list, read, follow, their logs, cancel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, request

from runbook.api import wire
from runbook.api.context import engine, principal, run_of, token_check
from runbook.api.parameters import (
    BOOLEAN,
    INTEGER,
    MAX_PAGE,
    TEXT,
    TEXTS,
    moment,
    number,
    page_size,
    switch,
)
from runbook.api.routing import Limit, Parameter, Policy, route
from runbook.core.permissions import Permission
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.errors import RequestError
from runbook.resources.log import log_line_json
from runbook.resources.rerun import run_document_json
from runbook.resources.run import run_json, run_page_json, whole_run_json
from runbook.store.logs import Logs, LogSearch
from runbook.store.models import LogQuery, RunFilter

blueprint = Blueprint("runs", __name__, url_prefix="/api/runs")

MAX_LINES = 10_000
MAX_HITS = 1000
PIECE_BYTES = 256 * 1024
_RELATION: dict[str, object] = {"type": "string", "enum": [relation.value for relation in Relation]}
_STATUS = "|".join(RunStatus)
_STATUSES: dict[str, object] = {"type": "string", "pattern": f"^(({_STATUS})(,({_STATUS}))*)?$"}
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@route(
    blueprint,
    "",
    policy=Policy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "Runs that you may see, newest first",
        parameters=(
            Parameter("id", "Only this run; may be given again", schema=TEXTS),
            Parameter("runbook", "Only runs of this ref; may be given again", schema=TEXTS),
            Parameter("status", "Only these statuses, separated by commas", schema=_STATUSES),
            Parameter("who", "Only runs that this subject asked for"),
            Parameter("since", "ISO 8601: only runs made at or after that time"),
            Parameter("until", "ISO 8601: only runs made before that time"),
            Parameter("q", "Only runs whose ref, name, reason or id holds it"),
            Parameter("relation", "Only runs that follow so from another", schema=_RELATION),
            Parameter("dry_run", "Only dry runs, or only others", schema=BOOLEAN),
            Parameter("active", "Only runs that have not ended, or that have", schema=BOOLEAN),
            Parameter("cursor", "The next_cursor of the page before", schema=TEXT),
            Parameter("limit", f"At most {MAX_PAGE}", schema=INTEGER),
        ),
        schema="RunPage",
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
        relation=_relation(request.args.get("relation")),
        dry_run=switch("dry_run"),
        active=switch("active"),
    )


def _given(name: str) -> frozenset[str] | None:
    return frozenset(filter(None, request.args.getlist(name))) or None


def _relation(word: str | None) -> Relation | None:
    if not word:
        return None
    try:
        return Relation(word)
    except ValueError:
        known = ", ".join(Relation)
        raise RequestError(f"relation {word!r} is not one of {known}") from None


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
    policy=Policy(
        Permission.RUN_READ,
        Limit.NONE,
        "What goes on: an event at once and whenever it has changed; never ends",
        media=("text/event-stream",),
        schema="Changes",
    ),
)
def get_changes() -> Response:
    return wire.event_stream(wire.change_events(engine(), principal(), token_check()))


@route(
    blueprint,
    "/<run_id>",
    policy=Policy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "One run, its steps, and the tree of runs below it",
        schema="WholeRun",
    ),
)
def get_run(run_id: str) -> Response:
    return wire.json_reply(whole_run_json(engine().runs.details(run_of(run_id), principal())))


@route(
    blueprint,
    "/<run_id>/document",
    policy=Policy(
        Permission.RUN_READ,
        Limit.NORMAL,
        "The text that the run executed, and whether the runbook has changed since",
        schema="RunDocument",
    ),
)
def get_document(run_id: str) -> Response:
    found = engine().runs.executed(run_of(run_id))
    return wire.json_reply(run_document_json(found.digest, found.content, found.current_digest))


@route(
    blueprint,
    "/<run_id>/events",
    policy=Policy(
        Permission.RUN_READ,
        Limit.NONE,
        "The run's events as they happen, JSON in each; ends after done",
        media=("text/event-stream",),
        parameters=(
            Parameter("Last-Event-ID", "Continue after the event of this number", "header"),
            Parameter("after", "The same, for clients that cannot set a header", schema=INTEGER),
        ),
        schema="Event",
    ),
)
def get_events(run_id: str) -> Response:
    run = run_of(run_id)
    last = request.headers.get("Last-Event-ID", "")
    after = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else None
    if after is None:
        after = number("after", 0)
    return wire.event_stream(wire.json_events(engine(), run.id, after))


@route(
    blueprint,
    "/<run_id>/log",
    policy=Policy(
        Permission.RUN_READ,
        Limit.NONE,
        "The run's log: plain text with byte ranges, lines as JSON lines, or hits of a search",
        replies={206: "The range asked for", 416: "The range is beyond the log"},
        media=("text/plain", wire.JSON_LINES, "application/json"),
        parameters=(
            Parameter("from", "First line, from 1: answers JSON lines", schema=INTEGER),
            Parameter("lines", f"How many, at most {MAX_LINES}", schema=INTEGER),
            Parameter("q", "Text to find, whatever its case: hits and their count", schema=TEXT),
            Parameter("regex", "true: q is a regular expression of RE2", schema=BOOLEAN),
            Parameter("skip", "Hits to leave out first", schema=INTEGER),
            Parameter("limit", f"Hits to show, at most {MAX_HITS}", schema=INTEGER),
            Parameter("Range", "bytes=FIRST-LAST of the plain text", "header"),
        ),
    ),
)
def get_log(run_id: str) -> Response:
    run = run_of(run_id)
    first, count = number("from", 1), number("lines", 1000, MAX_LINES)
    query = _log_query()
    if query is not None:
        return _search(run, query)
    if "from" in request.args or "lines" in request.args:
        return _lines(run, max(1, first), count)
    return _plain(run)


def _log_query() -> LogQuery | None:
    is_pattern = switch("regex") is True
    skip, limit = number("skip", 0), number("limit", 100, MAX_HITS)
    text = request.args.get("q")
    return None if text is None else LogQuery(text, is_pattern, skip, limit)


def _search(run: Run, query: LogQuery) -> Response:
    found = engine().runs.logs.search(run.id, query)
    if wire.prefers_json_lines():
        return Response(_hit_lines(found), 200, mimetype=wire.JSON_LINES)
    hits = [log_line_json(hit) for hit in found]
    return wire.json_reply({"query": query.text, "count": found.count, "hits": hits})


def _hit_lines(found: LogSearch) -> Iterator[bytes]:
    """Each hit as soon as it is found, and at the end their count."""
    for hit in found:
        yield orjson.dumps(log_line_json(hit)) + b"\n"
    yield orjson.dumps({"count": found.count}) + b"\n"


def _lines(run: Run, first: int, count: int) -> Response:
    lines = engine().runs.logs.lines(run.id, first, count)
    body = b"".join(orjson.dumps(log_line_json(line)) + b"\n" for line in lines)
    headers = {"X-Log-Lines": str(run.log.lines)}
    return Response(body, 200, headers, mimetype=wire.JSON_LINES)


def _plain(run: Run) -> Response:
    size = engine().runs.logs.size(run.id).bytes
    headers = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"}
    asked = _asked_range(_range_header(), size)
    if asked == "unsatisfiable":
        return Response(b"", 416, headers | {"Content-Range": f"bytes */{size}"})
    start, end = asked or (0, size)
    headers["Content-Length"] = str(end - start)
    status = 200
    if asked is not None:
        status = 206
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    pieces = _log_pieces(engine().runs.logs, run.id, start, end)
    return Response(pieces, status, headers, content_type="text/plain; charset=utf-8")


def _range_header() -> str | None:
    """RFC 9110: ranges are for GET only, and If-Range cannot hold where there is no validator."""
    if request.method != "GET" or "If-Range" in request.headers:
        return None
    return request.headers.get("Range")


def _asked_range(
    header: str | None, size: int
) -> tuple[int, int] | Literal["unsatisfiable"] | None:
    """The half-open range of a Range header (RFC 9110); None where it is to be ignored."""
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
    """Read while it is sent: the request's context is gone by then."""
    while start < end:
        piece = logs.range(run_id, start, min(PIECE_BYTES, end - start))
        if not piece:
            return
        yield piece
        start += len(piece)


@route(
    blueprint,
    "/<run_id>/cancel",
    policy=Policy(
        Permission.RUN_CANCEL,
        Limit.NORMAL,
        "Ask for the end of the run; an ended run is left as it is",
        replies={202: "Asked for; follow the run to see its end"},
        schema="Run",
    ),
    methods=("POST",),
)
def cancel(run_id: str) -> Response:
    run = engine().cancel(run_of(run_id), principal())
    return wire.json_reply(run_json(run), 200 if run.status.terminal else 202)
