"""The API of RouterOS, through librouteros. Needs the extra routeros, which is under the GPL."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from librouteros.api import Api
from librouteros.connections import SocketTransport
from librouteros.exceptions import (
    ConnectionClosed,
    FatalError,
    LibRouterosError,
    MultiTrapError,
    TrapError,
)
from librouteros.protocol import ApiProtocol, cast_to_api, decode_length, determine_length

from runbook.connectors.effects import plan_change
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.endpoint import Endpoint, Tls
from runbook.connectors.routeros.errors import code_of
from runbook.connectors.routeros.properties import is_secret

READS = frozenset({"print", "getall", "get", "listen", "login"})
_ENCODING = "utf-8"
_INTERRUPTED = 2
MOST_ANSWER_BYTES = 64 * 1024 * 1024
"""Of one command: a router that sends without an end must not fill our memory."""
# A router without a certificate only has anonymous keys, which are the last resort.
_WITHOUT_CERTIFICATE = "ALL:+aNULL:@SECLEVEL=0"


class DryRunApi(Api):  # type: ignore[misc]
    """librouteros' Api, with values as the text that the router sends.

    In a dry run, reads happen, and every other command becomes a line of the plan.
    """

    def __init__(self, protocol: ApiProtocol) -> None:
        super().__init__(protocol)
        self.planned_on = ""
        """The connection's name, in a dry run."""
        self.command_s = 0.0
        """How long a command may take; 0 for the login, whose time has begun before."""

    def __call__(self, cmd: str, /, **values: Any) -> Iterator[dict[str, Any]]:
        words = (f"={name}={cast_to_api(value)}" for name, value in values.items())
        return self.rawCmd(cmd, *words)

    def rawCmd(self, cmd: str, *words: str) -> Iterator[dict[str, Any]]:  # noqa: N802 - its name
        if self.planned_on and cmd.rpartition("/")[2] not in READS:
            plan_change(f"{described(cmd, words)} on {self.planned_on}")
            return iter(())
        return self._sent(cmd, words)

    def _sent(self, cmd: str, words: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        if self.command_s:
            self.protocol.transport.begin(self.command_s)
        self.protocol.writeSentence(cmd, *words)
        yield from self.readResponse()

    def readSentence(self) -> tuple[str, dict[str, Any]]:  # noqa: N802 - its name
        reply, words = self.protocol.readSentence()
        parts = (word[1:].partition("=") for word in words if word.startswith("="))
        return reply, {name: value for name, _, value in parts}


class Client:
    """A connection that is logged in. After an error of the connection, it is closed."""

    def __init__(self, endpoint: Endpoint, *, dry_run: bool) -> None:
        self.address = endpoint.address
        self._transport = _opened(endpoint)
        self.api = DryRunApi(_Protocol(self._transport, _ENCODING))
        self._transport.begin(endpoint.timeouts.connect_s)
        try:
            self.call("/login", {"name": endpoint.username, "password": endpoint.password})
        except ConnectorError as error:
            self.close()
            error.nothing_changed = True
            raise
        self.api.planned_on = endpoint.name if dry_run else ""
        self.api.command_s = endpoint.timeouts.command_s

    def close(self) -> None:
        self._transport.close()

    def call(
        self, command: str, values: Mapping[str, object], queries: tuple[str, ...] = ()
    ) -> list[dict[str, str]]:
        """Send a command, and wait for all of its answer. Raises ConnectorError."""
        rows = self.raw(command, values, queries)
        return [{name: healed(value) for name, value in row.items()} for row in rows]

    def raw(
        self, command: str, values: Mapping[str, object], queries: tuple[str, ...] = ()
    ) -> list[dict[str, str]]:
        """As `call`, but bytes that aren't UTF-8 are kept as surrogates."""
        words = [f"={name}={cast_to_api(value)}" for name, value in values.items()]
        with self._translating(command):
            return list(self.api.rawCmd(command, *words, *queries))

    @contextmanager
    def executing(self) -> Iterator[None]:
        """Send also in a dry run what isn't known to be a read."""
        planned_on, self.api.planned_on = self.api.planned_on, ""
        try:
            yield
        finally:
            self.api.planned_on = planned_on

    @contextmanager
    def _translating(self, command: str) -> Iterator[None]:
        try:
            yield
        except TrapError as error:
            raise self._refusal(command, str(error), error.category) from None
        except MultiTrapError as error:
            first = error.traps[0]
            raise self._refusal(command, str(error), first.category) from None
        except FatalError as error:
            self.close()
            raise ConnectorError(f"{self.address}: {error}", code_of(str(error))) from None
        except TimeoutError:
            # What comes later would be taken for the answer to the next command.
            self.close()
            text = f"{self.address} didn't answer in time: {command}"
            raise ConnectorError(text, ErrorCode.TIMEOUT) from None
        except _TooLongError:
            self.close()
            text = f"{self.address}: {command}: more than {MOST_ANSWER_BYTES // 2**20} MiB came"
            raise ConnectorError(text, ErrorCode.TRUNCATED) from None
        except (LibRouterosError, OSError, IndexError) as error:
            self.close()
            closed = isinstance(error, ConnectionClosed) and self._transport.in_answer
            code = ErrorCode.TRUNCATED if closed else ErrorCode.UNREACHABLE
            text = f"{self.address}: {command}: the connection broke: {_reason(error)}"
            raise ConnectorError(text, code) from None

    def _refusal(self, command: str, said: str, category: object) -> ConnectorError:
        unsure = str(category) == str(_INTERRUPTED) or command.endswith("/import")
        text = f"{self.address}: {command}: {healed(said)}"
        return ConnectorError(text, code_of(said), nothing_changed=not unsure)


def described(command: str, words: tuple[str, ...]) -> str:
    """`/ip/address/add address=10.0.0.1/24`: a command in one line."""
    shown = []
    for word in words:
        name, mark, value = word.lstrip("=").partition("=")
        shown.append(f"{name}{mark}{'***' if is_secret(name) else healed(value)}")
    return " ".join([command, *shown])


def healed(text: str) -> str:
    """Bytes that aren't UTF-8 as the usual sign for them."""
    return text.encode(_ENCODING, "surrogateescape").decode(_ENCODING, "replace")


class _Protocol(ApiProtocol):  # type: ignore[misc]
    """Keeps the bytes of words that aren't whole UTF-8: a file comes in pieces."""

    def readWord(self) -> str:  # noqa: N802 - its name
        first: bytes = self.transport.read(1)
        if first == b"\0":
            return ""
        length = decode_length(first + self.transport.read(determine_length(first)))
        word: bytes = self.transport.read(length)
        return word.decode(_ENCODING, "surrogateescape")


class _TooLongError(Exception):
    """The answer to a command doesn't end."""


class _Transport(SocketTransport):  # type: ignore[misc]
    """Has a limit for a whole command, however slowly its answer comes."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock=sock)
        self._deadline = 0.0
        self._left_bytes = 0
        self.in_answer = False

    def begin(self, most_s: float) -> None:
        self._deadline = time.monotonic() + most_s
        self._left_bytes = MOST_ANSWER_BYTES
        self.in_answer = False

    def write(self, data: bytes) -> None:
        self._limit()
        self.sock.sendall(data)

    def read(self, length: int) -> bytes:
        self._left_bytes -= length
        if self._left_bytes < 0:
            raise _TooLongError
        data = bytearray()
        while len(data) < length:
            self._limit()
            got = self.sock.recv(length - len(data))
            if not got:
                raise ConnectionClosed("the router closed it")
            self.in_answer = True
            data += got
        return bytes(data)

    def _limit(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)


def _opened(endpoint: Endpoint) -> _Transport:
    address, most_s = endpoint.address, endpoint.timeouts.connect_s
    try:
        context = _context(endpoint)
        sock = socket.create_connection((address.host, address.port), timeout=most_s)
        try:
            if context is not None:
                sock = context.wrap_socket(sock, server_hostname=address.host)
        except BaseException:
            sock.close()
            raise
    except TimeoutError:
        text = f"{address} didn't answer in time: connecting"
        raise ConnectorError(text, ErrorCode.TIMEOUT, nothing_changed=True) from None
    except ssl.SSLError as error:
        raise _tls_error(endpoint, error) from None
    except ConnectionRefusedError:
        text = f"{address} refuses the connection: is the service {endpoint.service} enabled?"
        raise ConnectorError(text, ErrorCode.REFUSED, nothing_changed=True) from None
    except OSError as error:
        text = f"{address} can't be reached: {_reason(error)}"
        raise ConnectorError(text, ErrorCode.UNREACHABLE, nothing_changed=True) from None
    return _Transport(sock)


def _context(endpoint: Endpoint) -> ssl.SSLContext | None:
    if endpoint.tls is Tls.PLAIN:
        return None
    try:
        context = ssl.create_default_context(cadata=endpoint.ca or None)
    except ssl.SSLError:
        text = "The CA certificate of the connection isn't in PEM"
        raise ConnectorError(text, ErrorCode.INVALID, nothing_changed=True) from None
    if endpoint.tls is Tls.UNVERIFIED:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers(_WITHOUT_CERTIFICATE)
    return context


def _tls_error(endpoint: Endpoint, error: ssl.SSLError) -> ConnectorError:
    address = endpoint.address
    if isinstance(error, ssl.SSLCertVerificationError):
        text = (
            f"{address}: the certificate can't be verified: {error.verify_message}. Set ca to the "
            "authority's certificate, or tls to unverified"
        )
    else:
        text = (
            f"{address} can't agree on TLS: {error.reason or error}. Is {address.port} the port of "
            "api-ssl, and has it a certificate? Without one, only tls: unverified works"
        )
    return ConnectorError(text, ErrorCode.TLS, nothing_changed=True)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
