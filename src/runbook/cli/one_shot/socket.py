"""The socket through which scripts of a one-shot run call other runbooks.

A request is one line of JSON; the response is JSON lines (see `calling.SocketTransport`). As over
HTTP, callers authenticate with their run's token, and calls go through Engine.submit. Called runs
don't stop when the connection is closed, but when the calling run ends.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from runbook import log
from runbook.cli.commands import hint_for
from runbook.cli.terminal.messages import print_warning
from runbook.core.access import Principal
from runbook.engine.engine import Engine
from runbook.engine.process.workspace import PREFIX, Workspace, WorkspaceError
from runbook.engine.requests import ExecuteRequest
from runbook.errors import AuthenticationError, RequestError, RunbookError, StoreBusyError
from runbook.resources.event import event_json
from runbook.script.limits import MAX_REQUEST_BYTES

if TYPE_CHECKING:
    from runbook.access.authenticators import Authenticators

Json = dict[str, Any]

MAX_CONNECTIONS = 64
REQUEST_SECONDS = 30.0
WATCH_SECONDS = 0.5
CLOSE_SECONDS = 2.0
SOCKET = "call"
SHORTEST = Path("/tmp")  # noqa: S108 - a new private folder is created in it
PATH_BYTES = 100
"""Slightly less than the kernel's limit for socket paths."""


def socket_path(execution_dir: Path) -> Path:
    """The path for this process's socket, in a private folder of EXECUTION_DIR.

    If that path is too long for a socket, in a folder for temporary files.
    """
    name = f"{PREFIX}{uuid.uuid4()}/{SOCKET}"
    places = (execution_dir.absolute(), Path(tempfile.gettempdir()))
    paths = (place / name for place in places)
    short = (path for path in paths if len(os.fsencode(path)) <= PATH_BYTES)
    return next(short, SHORTEST / name)


class CallServer:
    """A context manager that serves calls: one thread accepts, one more per connection.

    Its folder looks like a run's, so that it is cleaned up in the same way if this process is
    killed.
    """

    def __init__(
        self, path: Path, engine: Engine, authenticator: Callable[[], Authenticators]
    ) -> None:
        self._path = path
        self._engine = engine
        self._make_authenticator = authenticator
        self._authenticator: Authenticators | None = None
        self._folder: Workspace | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._closing = False

    def __enter__(self) -> Self:
        """Start listening. Only warns if that fails, because most scripts don't call runbooks."""
        folder, user = self._path.parent, self._engine.options.isolation.user
        try:
            name = folder.name.removeprefix(PREFIX)
            self._folder = Workspace.create(folder.parent, name, user=user)
            self._listener.bind(os.fsencode(self._path))
            if user is not None:
                user.own(self._path)
            self._listener.listen(MAX_CONNECTIONS)
        except (OSError, WorkspaceError) as error:
            print_warning(f"Scripts can't call other runbooks: couldn't create a socket ({error})")
        else:
            # Not joined at the end: by then it only uses the closed socket.
            threading.Thread(target=self._accept, name="calls", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop accepting calls, and close the connections."""
        self._closing = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        if self._folder is not None:
            self._path.unlink(missing_ok=True)  # an empty folder is removed faster
            self._folder.remove()
        self._free_one_more()
        deadline = time.monotonic() + CLOSE_SECONDS
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _free_one_more(self) -> None:
        """Let the accepting thread proceed if it is waiting for a free connection."""
        with suppress(ValueError):
            self._free.release()

    def _start(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(connection,), name="call", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            self._free.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            self._start(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(ConnectionError):  # the caller disconnected
                for answer in self._answers(connection):
                    connection.sendall(_line(answer))
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())
            self._free_one_more()

    def _answers(self, connection: socket.socket) -> Iterator[Mapping[str, Any] | None]:
        try:
            yield from self._answer(_read_request(connection))
        except RunbookError as error:
            yield _error(error)
        except Exception:  # noqa: BLE001 - an engine error must not look like the caller's
            if not self._closing:
                log.failure("call.fault")
                yield {
                    "error": {"code": "internal_error", "message": "The engine failed; see its log"}
                }

    def _answer(self, request: Json) -> Iterator[Mapping[str, Any] | None]:
        principal = self._principal(request)
        ref = request.get("ref")
        if not isinstance(ref, str):
            raise RequestError("ref must be a string")
        match request.get("op"):
            case "inputs":
                yield dict(self._engine.runbooks.input_schema(ref, principal))
            case "call":
                run = self._engine.submit(ref, principal, _execute_request(request)).run
                yield {"run": run.id}
                yield from self._follow(run.id)
            case "plan" | "advance":
                from runbook.cli.one_shot.fanning import fan_out

                yield dict(fan_out(self._engine, principal, request, _stack))
            case _:
                raise RequestError("op must be call, inputs, plan or advance")

    def _principal(self, request: Json) -> Principal:
        """The calling script's principal. Only tokens of runs are accepted here."""
        with self._lock:
            if self._authenticator is None:
                self._authenticator = self._make_authenticator()
        principal = self._authenticator.authenticate(f"Bearer {request.get('token')}", None)
        if self._engine.calling_run(principal) is None:
            raise AuthenticationError("The token doesn't belong to a run.")
        return principal

    def _follow(self, run_id: str) -> Iterator[Mapping[str, Any] | None]:
        """The run's events. Yields None regularly, to notice if the caller has disconnected."""
        shown = 0
        while not self._closing:
            try:
                for event in self._engine.follow(run_id, after=shown, heartbeat_s=WATCH_SECONDS):
                    if self._closing:
                        return
                    shown = event.n if event is not None else shown
                    yield None if event is None else event_json(event)
            except StoreBusyError:
                continue
            return


def _read_request(connection: socket.socket) -> Json:
    """Raises RequestError if the request is invalid or doesn't arrive in time."""
    connection.settimeout(REQUEST_SECONDS)
    try:
        with connection.makefile("rb") as lines:
            line = lines.readline(MAX_REQUEST_BYTES + 1)
    except OSError as error:
        raise RequestError(f"The request did not arrive: {error}") from None
    connection.settimeout(None)
    if not line.endswith(b"\n"):
        raise RequestError("The request must be one line of at most 2 MiB")
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise RequestError("The request must be a JSON object")
    return request


def _execute_request(request: Json) -> ExecuteRequest:
    confirm = request.get("confirm")
    return ExecuteRequest(
        env_vars=request.get("env_vars"),
        confirm=confirm if isinstance(confirm, str) else None,
        recursion_stack=_stack(request.get("recursion_stack")),
    )


def _stack(given: object) -> tuple[str, ...]:
    """The chain of refs that the caller sent, as JSON text like the API's header."""
    if given in (None, ""):
        return ()
    try:
        stack = json.loads(given) if isinstance(given, str) else None
    except (ValueError, RecursionError):
        stack = None
    if not isinstance(stack, list) or not all(isinstance(ref, str) for ref in stack):
        raise RequestError("recursion_stack must be a JSON list of refs")
    return tuple(stack)


def _line(answer: Mapping[str, Any] | None) -> bytes:
    return b"\n" if answer is None else json.dumps(answer, default=str).encode() + b"\n"


def _error(error: RunbookError) -> Json:
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "hint": hint_for(error),
            "problems": error.details.get("problems", []),
        }
    }
