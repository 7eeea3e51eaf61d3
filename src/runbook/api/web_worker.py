"""The gunicorn worker of the web processes: fair to connections, impatient with half requests."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import gevent
from gunicorn.http import errors
from gunicorn.util import write_nonblock
from gunicorn.workers.ggevent import GeventWorker

from runbook import log
from runbook.api.wire import refusal_bytes

BODY_SECONDS = 30.0
"""How long a client may take to send a body, plus a second for each MIN_BYTES that arrived."""
MIN_BYTES = 1024
LINGER_SECONDS = 1.0
Result = TypeVar("Result")


class HeadersTimeoutError(Exception):
    """Only part of a request's headers has arrived in time."""


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (HeadersTimeoutError, 408),
    (errors.InvalidResponseHeader, 500),  # the application's fault, not the client's
    (errors.InvalidResponseHeaderName, 500),
    (errors.ConfigurationProblem, 500),
    (errors.ForbiddenProxyRequest, 403),
    (errors.LimitRequestLine, 414),
    (errors.LimitRequestHeaders, 431),
    (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501),
    (errors.ParseException, 400),
)


class WebWorker(GeventWorker):  # type: ignore[misc]
    """Handles each connection in its own greenlet."""

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        gevent.getcurrent().connection = connection = Connection(client)
        super().handle(listener, connection, addr)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Gunicorn reads a request's headers in here. An idle connection is closed silently."""
        connection: Connection = gevent.getcurrent().connection
        connection.received = False
        with gevent.Timeout(self.cfg.keepalive, False):
            yield
            return
        if connection.received:
            raise HeadersTimeoutError

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        _check_host(req)
        req.body = body = TimedBody(req.body)
        super().handle_request(listener_name, req, sock, addr)
        if body.failed:
            _linger(sock)
            raise StopIteration  # the rest of the body would be taken for the next request
        # Otherwise a client that always has its next request ready keeps the others waiting.
        gevent.sleep(0)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002 - gunicorn's signature
        """Answer a request that couldn't be read, before there is an application to ask."""
        status = next((status for kind, status in _STATUS if isinstance(exc, kind)), 500)
        if status == 500:
            log.failure("http.fault", address=addr[0] if addr else None)
        else:
            log.event("http.unreadable", status=status, address=addr[0] if addr else None)
        try:
            write_nonblock(client, refusal_bytes(status))
            _linger(client)
        except Exception:  # noqa: BLE001 - the client is gone, or doesn't read
            log.event("http.unanswered", status=status)


def in_native_thread(work: Callable[[], Result], /) -> Result:
    """Do work that would stop all other requests of this process, and let them go on meanwhile.

    It must not use locks or connections that requests use: these are gevent's.
    """
    done: Result = gevent.get_hub().threadpool.apply(work)
    return done


def _check_host(req: Any) -> None:
    """Refuse a request without exactly one Host (RFC 9112, section 3.2); HTTP/1.0 may have none."""
    hosts = [value for name, value in req.headers if name == "HOST"]
    if len(hosts) > 1 or (not hosts and req.version >= (1, 1)):
        raise errors.InvalidHeader("Host")


class Connection:
    """A client's socket. `received` says whether it has sent anything since that was reset."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.received = False

    def recv(self, size: int) -> bytes:
        data: bytes = self._client.recv(size)
        self.received = True
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def _linger(client: Any) -> None:
    """Read on for a moment: closing a connection with unread data would discard the reply."""
    with gevent.Timeout(LINGER_SECONDS, False), suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while client.recv(65_536):
            pass


class TimedBody:
    """A request's body, which must arrive in time. Raises OSError if it doesn't, or is malformed.

    `failed` says that part of the body may still be unread.
    """

    def __init__(self, body: Any, seconds: float = BODY_SECONDS) -> None:
        self._body = body
        self._deadline = time.monotonic() + seconds
        self.failed = False

    def read(self, size: int | None = None) -> bytes:
        if self.failed:
            return b""
        left = max(0.001, self._deadline - time.monotonic())
        try:
            with gevent.Timeout(left, TimeoutError("the body didn't arrive in time")):
                data: bytes = self._body.read(size)
        except errors.ParseException as error:
            self.failed = True
            raise OSError(str(error)) from None
        except OSError:
            self.failed = True
            raise
        self._deadline += len(data) / MIN_BYTES
        return data
