"""Reads a file or URL completely, within limits of size and time.

Redirects are followed one by one: each URL is judged before it's requested.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

from runbook.errors import CatalogueError
from runbook.library.refs import is_below, shown

if TYPE_CHECKING:
    import httpx

WAIT_SECONDS = 10.0
"""For a connection, and for each piece of an answer."""
MOST_SECONDS = 120.0
"""For a whole answer, with all redirects."""
MOST_REDIRECTS = 5
_PIECE = 64 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def is_url(location: str) -> bool:
    return "://" in location


def beside(location: str, archive: str) -> str:
    """The location of a catalogue's archive: a URL, or a path below the catalogue's folder.

    Raises CatalogueError.
    """
    try:
        if is_url(location) or is_url(archive):
            url = urljoin(location, archive)
            return _safe(url, may_be_local=not is_url(location) or _is_local(location))
        folder = Path(os.path.realpath(Path(location).parent))
        path = Path(os.path.realpath(folder / archive))
    except (ValueError, OSError):
        raise CatalogueError(f"{shown(archive)} is neither a URL nor a path") from None
    if not is_below(path, folder):
        raise CatalogueError(f"{shown(archive)} is outside the catalogue's folder")
    return str(path)


def fetch(location: str, limit: int) -> bytes:
    """The content of a file or URL. Raises CatalogueError."""
    try:
        content = _download(location, limit) if is_url(location) else _read(location, limit)
    except OSError as error:
        raise CatalogueError(f"{shown(location)} can't be read: {error.strerror}") from None
    except ValueError as error:  # a null character, or a URL that can't be split
        raise CatalogueError(f"{shown(location)} can't be read: {shown(str(error))}") from None
    if len(content) > limit:
        raise CatalogueError(f"{shown(location)} is larger than {limit // 1024} KiB")
    return content


def _read(path: str, limit: int) -> bytes:
    with os.fdopen(os.open(path, _FILE), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise CatalogueError(f"{shown(path)} is not a regular file")
        return file.read(limit + 1)


def _download(url: str, limit: int) -> bytes:
    import httpx

    first, may_be_local = url, _is_local(url)
    try:
        with (
            _Deadline(MOST_SECONDS) as deadline,
            httpx.Client(timeout=WAIT_SECONDS, headers={"Accept-Encoding": "identity"}) as client,
        ):
            for _ in range(MOST_REDIRECTS + 1):
                _safe(url, may_be_local=may_be_local)
                request = client.build_request("GET", url, extensions={"trace": deadline.watch})
                reply = client.send(request, stream=True)
                try:
                    if reply.next_request is None:
                        content = _content(reply, limit)
                        deadline.check(first)
                        return content
                    url = str(reply.next_request.url)
                finally:
                    reply.close()
            raise CatalogueError(f"{shown(first)} redirects too often")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        deadline.check(first)
        text = str(error).partition("\n")[0] or type(error).__name__
        raise CatalogueError(f"{shown(first)} can't be read: {shown(text)}") from None


def _content(reply: httpx.Response, limit: int) -> bytes:
    """The body as it was sent, and not much more than the limit."""
    reply.raise_for_status()
    encoding = reply.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ("", "identity"):
        text = f"the answer has the encoding {shown(encoding)}, which wasn't asked for"
        raise CatalogueError(f"{shown(str(reply.url))} can't be read: {text}")
    content = bytearray()
    for piece in reply.iter_raw(_PIECE):
        content += piece
        if len(content) > limit:
            break
    return bytes(content)


class _Deadline:
    """Cuts off connections once the time is up, also while somebody waits for them.

    The timeouts of httpx are for each piece, and a piece may be one byte.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._timer = threading.Timer(max(0.0, seconds), self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._sockets:
                connection.close()
            self._sockets.clear()

    def check(self, url: str) -> None:
        """Raises CatalogueError once the time is up."""
        if self._is_over():
            raise CatalogueError(f"{shown(url)} takes too long")

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Called by httpx at each step of a request."""
        if event.endswith("connect_tcp.complete"):
            connection = info["return_value"].get_extra_info("socket")
            with self._lock:  # a copy: TLS takes the connection itself over
                self._sockets.append(connection.dup())
        if self._is_over():
            self._cut()

    def _is_over(self) -> bool:
        return time.monotonic() >= self._until

    def _cut(self) -> None:
        with self._lock:
            for connection in self._sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # it has ended by itself
                    continue


def _is_local(url: str) -> bool:
    """Whether it's surely on this host, whatever names resolve to."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host in _LOOPBACK or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None) or address
    return bool(inner.is_loopback or inner.is_unspecified)


def _safe(url: str, *, may_be_local: bool) -> str:
    """The URL, if it may be requested and its content can't be changed on the way.

    Another host must not make us send requests to this one. Raises CatalogueError.
    """
    parts = urlsplit(url)
    if _is_local(url) and not may_be_local:
        raise CatalogueError(f"{shown(url)} is on this host, unlike what refers to it")
    is_plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if parts.hostname and (parts.scheme == "https" or is_plain):
        return url
    raise CatalogueError(f"{shown(url)} is not an https URL")
