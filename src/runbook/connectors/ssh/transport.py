"""Opens connections: the socket, the jump host, the host key, the login. Needs the extra ssh."""

from __future__ import annotations

import io
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import paramiko
from paramiko.ssh_exception import IncompatiblePeer, PasswordRequiredException

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import HostKeys
from runbook.connectors.ssh.target import Login, Route, Target, Timeouts, invalid
from runbook.core.ssh.host_key import HostAddress, PublicKey

# Errors are raised: without a handler, they would also be printed with their tracebacks.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
_KEY_CLASSES = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_RSA = "ssh-rsa"
_WINDOW_BYTES = 2 * 1024 * 1024


@dataclass
class Chain:
    """Connections through each other: the last one is to the server."""

    transports: list[paramiko.Transport] = field(default_factory=list)

    @property
    def last(self) -> paramiko.Transport:
        return self.transports[-1]

    def close(self) -> None:
        while self.transports:
            self.transports.pop().close()


def open_chain(route: Route, host_keys: HostKeys) -> Chain:
    """Log in at each hop. Raises ConnectorError."""
    chain = Chain()
    try:
        for hop in route.hops:
            _add(chain, route, hop, host_keys)
            _log_in(chain.last, hop)
    except BaseException:
        chain.close()
        raise
    return chain


def scan(route: Route, host_keys: HostKeys) -> dict[HostAddress, PublicKey]:
    """The host keys that the servers show now, without those that the connection pins.

    Stops at the first that is not the expected one, so that no password goes to a server that
    nobody has trusted yet.
    """
    chain, seen = Chain(), dict[HostAddress, PublicKey]()
    try:
        for hop in route.hops:
            expected = hop.pinned or host_keys.expected(hop.address)
            shown = _connect(chain, hop, expected, route.timeouts)
            if hop.pinned is None:
                seen[hop.address] = shown
            elif shown != hop.pinned:
                raise _changed(route.name, hop, hop.pinned, shown)
            if shown != expected or hop is route.target:
                break
            _log_in(chain.last, hop)
    finally:
        chain.close()
    return seen


@contextmanager
def translating(address: HostAddress, doing: str, *, unsent: bool = False) -> Iterator[None]:
    """Raise errors of the connection as ConnectorError."""
    try:
        yield
    except TimeoutError:
        text = f"{address} didn't answer in time: {doing}"
        raise ConnectorError(text, ErrorCode.TIMEOUT, nothing_changed=unsent) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        text = f"{address}: {doing} failed: {_reason(error)}"
        raise ConnectorError(text, _code(error), nothing_changed=unsent) from None


def _add(chain: Chain, route: Route, hop: Target, host_keys: HostKeys) -> None:
    expected = hop.pinned or host_keys.expected(hop.address)
    shown = _connect(chain, hop, expected, route.timeouts)
    expected = expected or host_keys.meet(hop.address, shown)
    if shown != expected:
        raise _changed(route.name, hop, expected, shown)


def _connect(
    chain: Chain, hop: Target, expected: PublicKey | None, timeouts: Timeouts
) -> PublicKey:
    """Add a connection to the chain, not yet logged in. Returns the key that the server shows."""
    address, most_s = hop.address, timeouts.connect_s
    with translating(address, "connecting", unsent=True):
        sock = _socket(chain, address, most_s)
    with translating(address, "the key exchange", unsent=True):
        try:
            transport = paramiko.Transport(sock, default_window_size=_WINDOW_BYTES)
        except BaseException:
            sock.close()
            raise
        chain.transports.append(transport)
        transport.banner_timeout = most_s
        transport.auth_timeout = most_s
        transport.channel_timeout = most_s
        if expected is not None:
            _prefer(transport, expected)
        negotiated = threading.Event()
        transport.start_client(event=negotiated)
        if not negotiated.wait(most_s):
            raise TimeoutError
        if not transport.is_active():
            raise _failure(transport)
        key = transport.get_remote_server_key()
    return PublicKey(key.get_name(), key.get_base64())


def _socket(chain: Chain, address: HostAddress, most_s: float) -> Any:
    if not chain.transports:
        return socket.create_connection((address.host, address.port), timeout=most_s)
    return chain.last.open_channel(
        "direct-tcpip", (address.host, address.port), ("127.0.0.1", 0), timeout=most_s
    )


def _prefer(transport: paramiko.Transport, expected: PublicKey) -> None:
    """Ask for the key that we know: a server may have several."""
    options = transport.get_security_options()
    known = [kind for kind in options.key_types if _belongs(kind, expected.type)]
    options.key_types = [*known, *(kind for kind in options.key_types if kind not in known)]


def _belongs(algorithm: str, key_type: str) -> bool:
    return algorithm.startswith("rsa-") if key_type == _RSA else algorithm == key_type


def _failure(transport: paramiko.Transport) -> Exception:
    said = transport.get_exception()
    error = said if isinstance(said, Exception) else EOFError()
    # Without a banner, paramiko says nothing of the time it has waited.
    late = isinstance(error.__context__, TimeoutError) or "timeout" in str(error).lower()
    return TimeoutError() if late else error


def _log_in(transport: paramiko.Transport, hop: Target) -> None:
    login = hop.login
    with translating(hop.address, "the login", unsent=True):
        if login.private_key:
            key = read_private_key(login)
            if _accepts(lambda: transport.auth_publickey(login.username, key)):
                return
        if login.password and _accepts(
            lambda: transport.auth_password(login.username, login.password)
        ):
            return
    tried = [
        *(["the private key"] if login.private_key else []),
        *(["the password"] if login.password else []),
    ]
    text = f"{hop.address} doesn't accept {' or '.join(tried)} of {login.username}"
    raise ConnectorError(text, ErrorCode.AUTH, nothing_changed=True)


def _accepts(authenticate: Any) -> bool:
    try:
        # What is left are the methods that the server wants besides.
        return not authenticate()
    except paramiko.AuthenticationException as error:
        said = str(error).lower()
        if "timeout" in said:
            raise TimeoutError from None
        if "eof" in said or "shut down" in said:
            raise paramiko.SSHException("the server closed the connection") from None
        return False


def read_private_key(login: Login) -> paramiko.PKey:
    """Raises ConnectorError."""
    # What was pasted may lack the last newline, which the format needs.
    text = login.private_key.replace("\r\n", "\n").strip() + "\n"
    for kind in _KEY_CLASSES:
        try:
            return kind.from_private_key(io.StringIO(text), password=login.passphrase or None)
        except PasswordRequiredException:
            said = "The private key has a passphrase: set it in the connection"
            raise ConnectorError(said, ErrorCode.AUTH, nothing_changed=True) from None
        except (paramiko.SSHException, ValueError, IndexError, TypeError):
            continue
    said = "The private key can't be read" + (
        ", or the passphrase is wrong" if login.passphrase else ""
    )
    raise invalid(f"{said}. Use a key in the format of OpenSSH or PEM: Ed25519, ECDSA or RSA")


def _changed(name: str, hop: Target, expected: PublicKey, shown: PublicKey) -> ConnectorError:
    if hop.pinned is not None:
        way = "Change the field host_key of the connection if the new key is the server's"
    else:
        command = f"runbook connections retrust {name or 'NAME'} --fingerprint {shown.fingerprint}"
        way = f"Find out why. If the new key is the server's, run: {command}"
    text = (
        f"{hop.address} has another host key than before: expected {expected.fingerprint} "
        f"({expected.type}), got {shown.fingerprint} ({shown.type}). {way}"
    )
    return ConnectorError(text, ErrorCode.HOST_KEY, nothing_changed=True)


def _code(error: Exception) -> ErrorCode:
    match error:
        case paramiko.SSHException() if "timeout" in str(error).lower():
            return ErrorCode.TIMEOUT  # paramiko's own, of opening a channel
        case paramiko.ChannelException():
            # A jump host says only by a number why it can't reach the server.
            return ErrorCode.REFUSED if error.code == 1 else ErrorCode.UNREACHABLE
        case IncompatiblePeer():
            return ErrorCode.SERVER
        case ConnectionRefusedError():
            return ErrorCode.REFUSED
    return ErrorCode.UNREACHABLE


def _reason(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the server closed the connection"
    with suppress(IndexError):
        return str(getattr(error, "strerror", None) or error.args[-1])
    return type(error).__name__
