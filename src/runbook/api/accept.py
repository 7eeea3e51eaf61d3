"""What the client accepts: the Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from flask import request

from runbook.quick_dataclass import dataclass

JSON = "application/json"
JSON_LINES = "application/x-ndjson"
EVENTS = "text/event-stream"
HTML = "text/html"


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """How much a media type is wanted; at the same quality, a more specific range counts more."""

    quality: float = 0.0
    specificity: int = 0


def prefers_json() -> bool:
    """Whether the client prefers JSON to an event stream.

    Only if JSON outranks the stream: old clients send `*/*`, or no Accept header, and expect the
    stream. `application/json, text/plain, */*` names JSON but not the stream, so it gets JSON.
    """
    wanted = _rank(JSON)
    return wanted.quality > 0 and wanted > _rank(EVENTS)


def prefers_json_lines() -> bool:
    """Whether the client explicitly accepts JSON lines."""
    found = _rank(JSON_LINES)
    return found.quality > 0 and found.specificity == 2


def prefers_page() -> bool:
    """Whether the client explicitly accepts HTML, as browsers do."""
    found = _rank(HTML)
    return found.quality > 0 and found.specificity == 2


def _rank(media: str) -> Rank:
    """The rank of a media type: that of the most specific range that matches it."""
    ranges = (media, f"{media.partition('/')[0]}/*", "*/*")
    found = [
        (2 - ranges.index(name), quality)
        for given, quality in request.accept_mimetypes
        if (name := given.partition(";")[0].strip().lower()) in ranges
    ]
    specificity, quality = max(found, default=(0, 0.0))
    return Rank(quality, specificity)
