"""The responses of an operation: status codes, media types, headers and examples."""

from __future__ import annotations

from typing import Final

from runbook.api import accept
from runbook.api.openapi.examples import EXAMPLES
from runbook.api.openapi.schemas import Json, reference
from runbook.api.routing import PUBLIC, Limit, RoutePolicy
from runbook.api.wire import PROBLEM_TYPE

JSON: Final = accept.JSON
TEXT: Final = "text/plain"
_STREAM = (
    "Server-sent events. The `data` of each is text for `stdout` and `stderr` of an execution, and "
    "JSON for all others"
)


def headers() -> Json:
    """The headers of responses, by name."""
    texts = {
        "X-Correlation-Id": "The request's correlation ID, or a new one",
        "X-Run-Id": "The ID of the run",
        "Idempotent-Replayed": "`true` if an earlier request with this key started the run",
        "Location": "The URL of the run",
        "Preference-Applied": "`respond-async`",
        "ETag": "Send it as If-None-Match to get 304 if nothing has changed",
        "Link": 'The next page, as `<URL>; rel="next"`',
        "Content-Range": "The range of bytes that this is, and the size of the whole",
        "WWW-Authenticate": "The challenge, with the reason if a token was refused",
        "RateLimit-Policy": "The limit that the request counts against",
        "RateLimit": "What is left of that limit, and the seconds until it is full again",
    }
    numbers = {
        "Retry-After": "Seconds to wait before the next request",
        "X-Log-Lines": "The total number of lines",
    }
    return {
        **{name: _header(text, "string") for name, text in texts.items()},
        **{name: _header(text, "integer") for name, text in numbers.items()},
    }


def _header(text: str, kind: str) -> Json:
    return {"description": text, "schema": {"type": kind}}


def responses(policy: RoutePolicy) -> Json:
    """All responses of an operation, by status."""
    found = {
        200: _reply(policy, 200, "OK", {media: _content(policy, media) for media in policy.media})
    }
    for status, text in _replies(policy).items():
        found[status] = _reply(policy, status, text, _contents(policy, status))
    for status, text in _refusals(policy).items():
        content = {PROBLEM_TYPE: _with_example({"schema": reference("Problem")}, "Problem")}
        if status in found:  # the same status with another body
            found[status]["content"] = found[status].get("content", {}) | content
        else:
            found[status] = _reply(policy, status, text, content)
    return {str(status): found[status] for status in sorted(found)}


def _reply(policy: RoutePolicy, status: int, text: str, content: Json) -> Json:
    names = _header_names(policy, status)
    reply: Json = {
        "description": text,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }
    return reply | {"content": content} if content else reply


def _header_names(policy: RoutePolicy, status: int) -> tuple[str, ...]:
    names = ["X-Correlation-Id"]
    if status < 300 and policy.limit is Limit.EXECUTE:
        names += ["X-Run-Id", "Idempotent-Replayed"]
        names += ["Location", "Preference-Applied"] if status == 202 else []
    if status in (200, 304) and policy.revalidates:
        names.append("ETag")
    if status < 300:
        names += policy.headers
    if status in (206, 416):
        names.append("Content-Range")
    if status == 401:
        names.append("WWW-Authenticate")
    if status in (429, 503):
        names.append("Retry-After")
    if policy.limit is not Limit.NONE:
        names += ["RateLimit-Policy", "RateLimit"]
    return tuple(names)


def _replies(policy: RoutePolicy) -> dict[int, str]:
    if policy.revalidates:
        return policy.replies | {304: "Nothing has changed since the ETag in If-None-Match"}
    return policy.replies


def _contents(policy: RoutePolicy, status: int) -> Json:
    """The content of a documented response other than 200."""
    if status in (204, 304):
        return {}
    if status in (416, 422):
        return {PROBLEM_TYPE: {"schema": reference("Problem")}}
    if status == 206:
        media = TEXT if TEXT in policy.media else policy.media[0]
        return {media: {"schema": {"type": "string"}}}
    if status == 202 and policy.limit is Limit.EXECUTE:
        return {JSON: _with_example({"schema": reference("Accepted")}, "Accepted")}
    return {JSON: _content(policy, JSON)}


def _content(policy: RoutePolicy, media: str) -> Json:
    if media == accept.EVENTS:
        return _stream(policy)
    if media == JSON:
        schema = reference(policy.schema) if policy.schema else {"type": "object"}
        return _with_example({"schema": schema}, policy.schema)
    if media == accept.JSON_LINES:
        return {"schema": {"type": "string", "description": "Each line is a LogLine as JSON"}}
    if media == "application/octet-stream":
        return {"schema": {"type": "string", "format": "binary"}}
    return {"schema": {"type": "string"}}


def _stream(policy: RoutePolicy) -> Json:
    """A stream of events, which generated clients read as text."""
    event = "Event" if policy.schema == "Done" else policy.schema
    found: Json = {"schema": {"type": "string", "description": _STREAM}}
    if event:
        found["x-event-data"] = reference(event)
    return _with_example(found, f"{policy.schema}Stream")


def _with_example(content: Json, name: str | None) -> Json:
    return content | {"example": EXAMPLES[name]} if name in EXAMPLES else content


def _refusals(policy: RoutePolicy) -> dict[int, str]:
    refusals = {400: "The request is malformed", 404: "Not found"}
    if policy.permission is not PUBLIC:
        refusals |= {
            401: "A valid bearer token is required",
            403: "A permission or a claim is missing; see `missing`",
        }
    if policy.body is not None or policy.media_type:
        refusals |= {
            408: "The body didn't arrive in time",
            413: "The body is too large",
            415: "The body is not a .zip archive" if policy.media_type else "The body is not JSON",
        }
    if policy.conflicts:
        refusals |= {409: "The current state doesn't allow this; see `detail`"}
    if policy.limit is not Limit.NONE:
        refusals |= {429: "Too many requests; see Retry-After"}
    if policy.schema == "InstalledToolkit":
        refusals |= {422: "The toolkit was refused; see `reason`"}
    if policy.limit is Limit.EXECUTE:
        refusals |= {422: "The Idempotency-Key was used with a different request"}
    return refusals | {503: "Temporarily unavailable; see Retry-After"}
