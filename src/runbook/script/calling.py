"""Calls another runbook from a script: through a server's API or a one-shot run's socket.

Imports only the standard library, so that a call adds little overhead.
"""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from runbook.errors import (
    NotFoundError,
    RequestError,
    RunbookError,
    ServerUnavailableError,
    error_named,
)
from runbook.quick_dataclass import dataclass
from runbook.script.frame import Frame
from runbook.script.limits import MAX_REQUEST_BYTES
from runbook.script.sse import (
    ANSWER_SECONDS,
    PATIENCE_SECONDS,
    RETRY_SECONDS,
    SILENCE_SECONDS,
    EventParser,
)

Json = dict[str, Any]

READ_BYTES = 65_536
CALL_ENDS = "a call ends when the calling run ends"


@dataclass(frozen=True, slots=True)
class Caller:
    """The calling run, according to the script's environment. `recursion_stack` is JSON."""

    token: str
    url: str = ""
    socket: str = ""
    correlation_id: str = ""
    recursion_stack: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class CallRequest:
    """The runbook to call and its inputs. `confirm` is the text that its policy may require."""

    ref: str
    env_vars: Mapping[str, object]
    confirm: str | None = None


class Transport(Protocol):
    """A connection to the engine that executes the called run. Methods raise RunbookError."""

    def inputs(self, ref: str) -> Json:
        """The inputs of a runbook, as JSON Schema."""

    def events(self, request: CallRequest) -> Iterator[Json]:
        """`{"run": id}` once the run is recorded, then its events up to `done`."""

    def plan(self, asked: Json) -> Json:
        """Plan a fan-out of the calling run."""

    def advance(self, n: int, request: CallRequest) -> Json:
        """Advance the `n`-th one; the request has the inputs besides the device."""


def transport(caller: Caller) -> Transport:
    """The engine process's socket if there is one, else the server's API."""
    return SocketTransport(caller) if caller.socket else HttpTransport(caller)


def follow(
    transport: Transport,
    request: CallRequest,
    frame: Frame | None,
    on_progress: Callable[[float, str], object] | None = None,
) -> Json:
    """Call a runbook and show its output in the frame. Returns `done`; raises RunbookError.

    `on_progress` gets the percentages that the called run reports, with their texts.
    """
    for event in transport.events(request):
        if frame is not None:
            frame.show(event)
        percent = event.get("percent") if event.get("type") == "progress" else None
        if on_progress is not None and isinstance(percent, int | float):
            on_progress(percent, str(event.get("text") or ""))
        if event.get("type") == "done":
            return event
    raise ServerUnavailableError("The connection ended before the called run finished")


def file_inputs(transport: Transport, ref: str) -> frozenset[str]:
    """The names of the inputs that are files. Raises RunbookError."""
    properties = transport.inputs(ref).get("properties")
    known = properties if isinstance(properties, dict) else {}
    return frozenset(
        name
        for name, schema in known.items()
        if isinstance(schema, dict) and schema.get("x-type") == "file"
    )


def sent(value: object) -> object:
    """A value in a request's form: files with their content, lists and objects as JSON text.

    Raises OSError for an unreadable file, and TypeError for a value that JSON can't represent.
    """
    if isinstance(value, Path):
        content = base64.b64encode(value.read_bytes()).decode()
        return {"name": value.name, "content_base64": content}
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)


class SocketTransport:
    """Talks to the engine process of `runbook execute` in JSON lines."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def inputs(self, ref: str) -> Json:
        return self._one({"op": "inputs", "ref": ref})

    def events(self, request: CallRequest) -> Iterator[Json]:
        asked: Json = {
            "op": "call",
            "ref": request.ref,
            "env_vars": dict(request.env_vars),
            "recursion_stack": self._caller.recursion_stack,
        }
        if request.confirm is not None:
            asked["confirm"] = request.confirm
        return self._ask(asked)

    def plan(self, asked: Json) -> Json:
        return self._one({"op": "plan", "plan": asked, "ref": asked["runbook"]})

    def advance(self, n: int, request: CallRequest) -> Json:
        asked: Json = {
            "op": "advance",
            "fanout": n,
            "ref": request.ref,
            "env_vars": dict(request.env_vars),
            "recursion_stack": self._caller.recursion_stack,
        }
        if request.confirm is not None:
            asked["confirm"] = request.confirm
        return self._one(asked)

    def _one(self, request: Json) -> Json:
        for answer in self._ask(request):
            return answer
        raise ServerUnavailableError("The engine of this run doesn't respond")

    def _ask(self, request: Json) -> Iterator[Json]:
        data = json.dumps({"token": self._caller.token, **request}).encode()
        if len(data) >= MAX_REQUEST_BYTES:
            raise RequestError("The inputs exceed 2 MiB in total")
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(self._caller.socket)
                connection.sendall(data + b"\n")
                with connection.makefile("rb") as lines:
                    yield from (_answer(line) for line in lines if line.strip())
        except OSError as error:
            raise ServerUnavailableError(
                f"Couldn't reach the engine of this run: {error.strerror or error}", hint=CALL_ENDS
            ) from None


class HttpTransport:
    """Talks to a server's API. Resumes an interrupted stream at the next event."""

    def __init__(self, caller: Caller) -> None:
        parts = urlsplit(caller.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RequestError("RUNBOOK_URL must be the http or https URL of the server's runbooks")
        self._caller = caller
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._place = parts.netloc
        self._root = parts.path.rstrip("/").removesuffix("/api/runbooks")
        self._heard = 0.0

    def inputs(self, ref: str) -> Json:
        try:
            return self._json("GET", f"/api/runbooks/{quote(ref)}/inputs")
        except NotFoundError:  # an unknown runbook: the call itself reports it
            return {}

    def events(self, request: CallRequest) -> Iterator[Json]:
        body: Json = {"env_vars": dict(request.env_vars)}
        if request.confirm is not None:
            body["confirm"] = request.confirm
        path = f"/api/runbooks/{quote(request.ref)}/execute"
        headers = {"Prefer": "respond-async", "Content-Type": "application/json"}
        accepted = self._json("POST", path, json.dumps(body).encode(), headers)
        run_id = str(accepted.get("run_id"))
        yield {"run": run_id}
        yield from self._follow(f"/api/runs/{quote(run_id, safe='')}/events")

    def plan(self, asked: Json) -> Json:
        return self._post(f"/api/runs/{quote(self._caller.run_id)}/fanouts", asked)

    def advance(self, n: int, request: CallRequest) -> Json:
        body: Json = {"env_vars": dict(request.env_vars)}
        if request.confirm is not None:
            body["confirm"] = request.confirm
        path = f"/api/runs/{quote(self._caller.run_id)}/fanouts/{n}/advance"
        return self._post(path, body)

    def _post(self, path: str, body: Json) -> Json:
        headers = {"Content-Type": "application/json"}
        return self._json("POST", path, json.dumps(body).encode(), headers)

    def _follow(self, path: str) -> Iterator[Json]:
        after, self._heard = 0, time.monotonic()
        while True:
            try:
                for event in self._stream(path, after):
                    after = int(event["n"])
                    yield event
                    if event["type"] == "done":
                        return
            except ServerUnavailableError:
                if time.monotonic() - self._heard > PATIENCE_SECONDS:
                    raise
            time.sleep(RETRY_SECONDS)

    def _stream(self, path: str, after: int) -> Iterator[Json]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        parser = EventParser()
        with self._exchange("GET", path, None, headers, SILENCE_SECONDS) as reply:
            if reply.status >= 500:  # a gateway's error while the server restarts
                raise ServerUnavailableError(f"{self._place} returned HTTP {reply.status}")
            if reply.status != 200:
                raise _problem(reply)
            while data := reply.read1(READ_BYTES):
                self._heard = time.monotonic()
                yield from (_object(event.data) for event in parser.feed(data))
        raise ServerUnavailableError(
            f"{self._place} closed the event stream before the run finished"
        )

    def _json(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        with self._exchange(method, path, body, headers or {}, ANSWER_SECONDS) as reply:
            if not 200 <= reply.status < 300:
                raise _problem(reply)
            return _object(reply.read())

    @contextmanager
    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Iterator[HTTPResponse]:
        """Send a request. Raises ServerUnavailableError, also if reading the reply fails."""
        try:
            with closing(self._kind(self._place, timeout=timeout_s)) as connection:
                connection.request(method, self._root + path, body, {**self._headers(), **headers})
                with connection.getresponse() as reply:
                    yield reply
        except (OSError, HTTPException, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise ServerUnavailableError(f"Couldn't reach {self._place}: {reason}") from None

    def _headers(self) -> dict[str, str]:
        caller = self._caller
        given = {
            "Authorization": f"Bearer {caller.token}",
            "Accept": "application/json",
            "X-Correlation-Id": caller.correlation_id,
            "X-Recursion-Stack": caller.recursion_stack,
        }
        return {name: value for name, value in given.items() if value}


def _answer(line: bytes) -> Json:
    """An answer of the engine process. Raises the error that it contains."""
    answer = _object(line)
    error = answer.get("error")
    if isinstance(error, dict):
        raise error_named(error.get("code"), 500, str(error.get("message")), **_hint(error))
    return answer


def _problem(reply: HTTPResponse) -> RunbookError:
    try:
        problem = _object(reply.read())
    except ServerUnavailableError:
        problem = {}
    if wait := reply.getheader("Retry-After"):
        problem.setdefault("hint", f"try again in {wait} s")
    text = (
        problem.get("detail") or problem.get("error") or f"The server returned HTTP {reply.status}"
    )
    return error_named(problem.get("code"), reply.status, str(text), **_hint(problem))


def _hint(problem: Json) -> dict[str, str]:
    hint = problem.get("hint")
    return {"hint": hint} if isinstance(hint, str) else {}


def _object(text: str | bytes) -> Json:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ServerUnavailableError("The response is not from a runbook engine")
    return value
