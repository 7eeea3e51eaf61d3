"""An HTTP client of the engine's API: JSON requests, problems as errors, resumed streams."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from runbook.errors import RequestError, RunbookError, ServerUnavailableError, error_named
from runbook.script.sse import (
    ANSWER_SECONDS,
    PATIENCE_SECONDS,
    RETRY_SECONDS,
    SILENCE_SECONDS,
    EventParser,
)

Json = dict[str, Any]


class Client:
    """A client of one server. Raises the server's RunbookErrors and ServerUnavailableError."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        headers = {"Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._pause = pause
        try:
            self._http = httpx.Client(
                base_url=_base(url), headers=headers, timeout=ANSWER_SECONDS, transport=transport
            )
        except (httpx.InvalidURL, UnicodeError, ValueError) as error:
            raise RequestError(f"The server URL or the token is invalid: {error}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def get(self, path: str, **query: str | int | list[str]) -> Json:
        return self._json("GET", path, params=query)

    def post(self, path: str, body: Json | None = None) -> Json:
        return self._json("POST", path, json=body or {})

    def start(self, path: str, body: Json) -> Json:
        """Start a run without waiting for it. Returns its ID and status."""
        return self._json("POST", path, json=body, headers={"Prefer": "respond-async"})

    def content(self, path: str) -> bytes:
        """The content of a file."""
        reply = self._send("GET", path)
        if not reply.is_success:
            raise error_of(reply)
        return reply.content

    def validate(self, ref: str, env_vars: Mapping[str, object]) -> Json:
        """The validation report of a runbook. An invalid runbook doesn't raise an error."""
        path = f"/api/runbooks/{quote(ref)}/validate"
        reply = self._send("PATCH", path, json={"env_vars": dict(env_vars)})
        if reply.status_code == 400:
            report = _object(reply)
            if "runbook" in report and isinstance(report.get("problems"), list):
                return report
        return _checked(reply)

    def events(self, run_id: str, *, after: int = 0) -> Iterator[Json]:
        """A run's events after number `after`, up to `done`. Reconnects if the connection is lost.

        Raises ServerUnavailableError if the server is unreachable for PATIENCE_SECONDS.
        """
        begun_after, lost_since = after, time.monotonic()
        while True:
            try:
                for event in self._stream(run_id, after):
                    lost_since = time.monotonic()
                    after = int(event["n"])
                    yield event
                    if event["type"] == "done":
                        return
                if self._is_over(run_id, after):
                    return
            except ServerUnavailableError:
                if after == begun_after or time.monotonic() - lost_since > PATIENCE_SECONDS:
                    raise
            self._pause(RETRY_SECONDS)

    def _is_over(self, run_id: str, after: int) -> bool:
        """Whether the run is over and all its events were read before."""
        run = self.get(f"/api/runs/{quote(run_id, safe='')}")
        return run.get("finished_at") is not None and after >= int(run.get("last_event") or 0)

    def _stream(self, run_id: str, after: int) -> Iterator[Json]:
        path = f"/api/runs/{quote(run_id, safe='')}/events"
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        timeout = httpx.Timeout(ANSWER_SECONDS, read=SILENCE_SECONDS)
        parser = EventParser()
        try:
            with self._http.stream("GET", path, headers=headers, timeout=timeout) as reply:
                if reply.status_code == 204:  # the run is over, and all its events were read
                    return
                if reply.status_code != 200:
                    reply.read()
                    raise _stream_error(reply)
                for piece in reply.iter_bytes():
                    for event in parser.feed(piece):
                        value = json.loads(event.data)
                        if int(value["n"]) > after:
                            yield value
        except httpx.HTTPError as error:
            raise _unreachable(self._http.base_url, error) from None
        except (ValueError, KeyError, TypeError):
            raise ServerUnavailableError("The server sent invalid events. Check its URL.") from None

    def _json(self, method: str, path: str, **request: Any) -> Json:
        return _checked(self._send(method, path, **request))

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise _unreachable(self._http.base_url, error) from None


def _base(url: str) -> str:
    """The server's root URL. Also accepts RUNBOOK_URL, which ends in /api/runbooks."""
    parsed = httpx.URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("it must start with http:// or https://")
    if parsed.userinfo:
        raise ValueError("it must not contain a username or password")
    return url.rstrip("/").removesuffix("/api/runbooks")


def _unreachable(url: httpx.URL, error: httpx.HTTPError) -> ServerUnavailableError:
    reason = str(error) or type(error).__name__
    return ServerUnavailableError(f"Couldn't reach {url.scheme}://{url.netloc.decode()}: {reason}")


def _stream_error(reply: httpx.Response) -> RunbookError:
    """The error of a stream. Server errors are retried: they may come from a restart."""
    error = error_of(reply)
    return ServerUnavailableError(error.message) if reply.status_code >= 500 else error


def _checked(reply: httpx.Response) -> Json:
    if not reply.is_success:
        raise error_of(reply)
    return _object(reply)


def _object(reply: httpx.Response) -> Json:
    try:
        value = reply.json()
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ServerUnavailableError(
            "The response is not from a runbook engine. Check the server's URL."
        )
    return value


def error_of(reply: httpx.Response) -> RunbookError:
    """The error for a problem's `code`, or else for the HTTP status."""
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        body = None
    problem: Json = body if isinstance(body, dict) else {}
    detail = problem.get("detail") or problem.get("error")
    text = str(detail) if detail else f"The server returned HTTP {reply.status_code}"
    wait = reply.headers.get("Retry-After") if reply.status_code == 429 else None
    details = {"hint": f"try again in {wait} s"} if wait else {}
    if isinstance(diff := problem.get("diff"), str):
        details["diff"] = diff
    return error_named(problem.get("code"), reply.status_code, text, **details)
