"""The binary API, plain and over TLS."""

from __future__ import annotations

import hashlib
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from runbook.lab.routeros import certificates
from runbook.lab.routeros.errors import Category, Rebooting, RouterError
from runbook.lab.routeros.net import dispatch, users, wire
from runbook.lab.routeros.net.connection import Connection, Ended
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Row

WRONG = "invalid user name or password (6)"
LONG = ("/ping", "/import", "/system/script/run", "/system/device-mode/update", "/export")
"""Commands that don't hold up others of the same connection."""
HANDSHAKE_S = 10.0
FOLLOW_S = 0.05
CHUNK = 1 << 16


def serve(connection: Connection) -> None:
    if connection.service == "api-ssl":
        connection.socket.settimeout(HANDSHAKE_S)
        context = certificates.context(connection.router)
        connection.socket = context.wrap_socket(connection.socket, server_side=True)
        connection.socket.settimeout(None)
    with suppress(wire.WireError, ssl.SSLError):
        _Api(connection).run()


class _Api:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._router = connection.router
        self._session: Session | None = None
        self._challenge = b""
        self._running: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._read_ahead = bytearray()

    def run(self) -> None:
        while self._connection.open:
            words = wire.read_sentence(self._read)
            if not words:
                continue
            try:
                request = wire.parse(words)
            except wire.WireError as error:
                self._fatal(str(error))
                return
            if request.command == "/quit":
                self._fatal("session terminated on request")
                return
            self._handle(request)

    def _read(self, size: int) -> bytes:
        while len(self._read_ahead) < size:
            more = self._connection.socket.recv(CHUNK)
            if not more:
                raise EOFError
            self._acknowledge()
            self._connection.wait_until_let_through()
            self._read_ahead += more
        found = bytes(self._read_ahead[:size])
        del self._read_ahead[:size]
        return found

    def _acknowledge(self) -> None:
        """At once: clients that send each word by itself would wait for it."""
        with suppress(OSError):
            self._connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    # -- commands --------------------------------------------------------------------------

    def _handle(self, request: wire.Request) -> None:
        if request.command == "/login":
            self._log_in(request)
        elif self._session is None:
            self._send(["!fatal", "not logged in"])
            self._connection.close()
        elif request.command == "/cancel":
            self._cancel(request)
        else:
            self._begin(request, self._session)

    def _begin(self, request: wire.Request, session: Session) -> None:
        theirs = Session(session.user, session.policies, "api", values=session.values)
        self._running[request.tag] = theirs
        if _follows(request):
            seen = {} if "follow" in request.attributes else self._now(request, theirs)
            self._apart(lambda: self._follow(request, theirs, seen))
        elif request.tag and request.command in LONG:
            self._apart(lambda: self._execute(request, theirs))
        else:
            self._execute(request, theirs)

    @staticmethod
    def _apart(work: Callable[[], None]) -> None:
        def run() -> None:
            with suppress(Ended, OSError):
                work()

        threading.Thread(target=run, name="routeros-command", daemon=True).start()

    def _execute(self, request: wire.Request, session: Session) -> None:
        time.sleep(self._router.faults.delay(request.command))
        try:
            self._answer(request, dispatch.execute(self._router, session, request))
        except RouterError as error:
            self._trap(request, error)
        except Rebooting:
            self._done(request, {})
        except ValueError:
            self._trap(request, RouterError("invalid value", Category.ARGUMENT))
        finally:
            self._running.pop(request.tag, None)

    def _answer(self, request: wire.Request, answer: dispatch.Answer) -> None:
        faults, command = self._router.faults, request.command
        if faults.drops(command):
            self._break_off(answer.rows)
        rows = answer.rows
        if faults.truncates(command):
            for row in rows[: len(rows) // 2]:
                self._row(request, row)
            self._connection.close()
            raise Ended
        for row in rows:
            self._row(request, row)
        if not rows and self._router.release.says_empty and command.endswith("/print"):
            self._send(["!empty", *self._tag(request)])
        self._done(request, answer.done)

    def _break_off(self, rows: list[Row]) -> None:
        """Half a sentence, and the end."""
        row = rows[0] if rows else {"ret": "*"}
        whole = wire.sentence(["!re", *_attributes(row)])
        with suppress(OSError):
            self._connection.socket.sendall(whole[: len(whole) // 2 + 1])
        self._connection.close()
        raise Ended

    def _now(self, request: wire.Request, session: Session) -> dict[str, Row]:
        path = request.command.strip("/").rpartition("/")[0]
        plain = wire.Request(f"/{path}/print", "", {}, request.queries)
        try:
            rows = dispatch.execute(self._router, session, plain).rows
        except RouterError:
            return {}
        return {row.get(".id", ""): row for row in rows}

    def _follow(self, request: wire.Request, session: Session, seen: dict[str, Row]) -> None:
        """Rows that are new or changed, until it's cancelled."""
        while not session.cancelled.wait(FOLLOW_S):
            now = self._now(request, session)
            for which, row in now.items():
                if seen.get(which) != row:
                    self._row(request, row)
            for which in seen.keys() - now.keys():
                self._row(request, {".id": which, ".dead": "true"})
            seen = now
        self._running.pop(request.tag, None)
        self._trap(request, RouterError("interrupted", Category.INTERRUPTED))

    def _cancel(self, request: wire.Request) -> None:
        which = request.attributes.get("tag", "")
        found = [self._running.get(which)] if which else list(self._running.values())
        if which and not found[0]:
            self._trap(request, RouterError("no such command", Category.MISSING))
            return
        for one in found:
            if one:
                one.cancelled.set()
        self._done(request, {})

    # -- logging in ------------------------------------------------------------------------

    def _log_in(self, request: wire.Request) -> None:
        given = request.attributes
        if self._router.release.asks_for_response and "response" not in given:
            self._challenge = secrets.token_bytes(16)
            self._done(request, {"ret": self._challenge.hex()})
            return
        row = users.find(self._router, given.get("name", ""))
        right = row is not None and self._is_right(given, row.get("password", ""))
        name = given["name"] if right else ""
        session = users.log_in(self._router, name, "api", "api") if right else None
        if session is None:
            message = (
                "cannot log in" if self._router.release.is_6 and "response" in given else WRONG
            )
            self._trap(request, RouterError(message))
            return
        self._session = self._connection.session = session
        self._connection.logged_in = True
        self._done(request, {})

    def _is_right(self, given: Row, password: str) -> bool:
        if self._router.release.asks_for_response:
            whole = b"\x00" + password.encode() + self._challenge
            expected = "00" + hashlib.md5(whole, usedforsecurity=False).hexdigest()
            return bool(self._challenge) and secrets.compare_digest(given["response"], expected)
        return secrets.compare_digest(given.get("password", "").encode(), password.encode())

    # -- sentences -------------------------------------------------------------------------

    def _row(self, request: wire.Request, row: Row) -> None:
        self._send(["!re", *self._tag(request), *_attributes(row)])

    def _done(self, request: wire.Request, row: Row) -> None:
        self._send(["!done", *self._tag(request), *_attributes(row)])

    def _trap(self, request: wire.Request, error: RouterError) -> None:
        said: dict[str, Any] = {"message": error.text}
        if error.category is not None:
            said = {"category": str(error.category.value), **said}
        self._send(["!trap", *self._tag(request), *_attributes(said)])
        self._done(request, {})

    def _fatal(self, message: str) -> None:
        self._send(["!fatal", message])
        self._connection.close()

    @staticmethod
    def _tag(request: wire.Request) -> list[str]:
        return [f".tag={request.tag}"] if request.tag else []

    def _send(self, words: Iterable[str]) -> None:
        self._connection.wait_until_let_through()
        with self._lock:
            self._connection.socket.sendall(wire.sentence(words))


def _follows(request: wire.Request) -> bool:
    options = {"follow", "follow-only"} & request.attributes.keys()
    return request.command.endswith("/listen") or bool(options)


def _attributes(row: Row) -> list[str]:
    return [f"={name}={value}" for name, value in row.items()]
