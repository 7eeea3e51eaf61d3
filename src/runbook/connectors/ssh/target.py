"""Where to log in, and how: read from the values of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.core.ssh.host_key import HostAddress, PublicKey, address_of, read_public_key

PORT = 22
TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """`connect_s` is for each of the TCP connection, the key exchange and the login.

    `command_s` is for a whole command, and for each pause in a transfer of a file.
    """

    connect_s: float = TIMEOUT_S
    command_s: float = COMMAND_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    passphrase: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """An SSH server. With `pinned`, it must show this host key, whatever is known of it."""

    address: HostAddress
    login: Login
    pinned: PublicKey | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a server. `name` is the connection's."""

    name: str
    target: Target
    jump: Target | None = None
    timeouts: Timeouts = Timeouts()

    @property
    def hops(self) -> tuple[Target, ...]:
        return (self.target,) if self.jump is None else (self.jump, self.target)


def route_of(name: str, values: Mapping[str, object]) -> Route:
    """The way that the values of a connection of kind ssh describe. Raises ConnectorError."""
    target = _target(values, "")
    jump = _target(values, "jump_", target.login.username) if values.get("jump_host") else None
    return Route(name, target, jump, timeouts_of(values))


def timeouts_of(values: Mapping[str, object]) -> Timeouts:
    return Timeouts(
        _seconds(values, "timeout", TIMEOUT_S),
        _seconds(values, "command_timeout", COMMAND_TIMEOUT_S),
    )


def checked_address(host: object, port: object) -> HostAddress:
    """Raises ConnectorError."""
    number = int(port) if isinstance(port, str) and port.isdecimal() else port
    found = address_of(host, number)
    if found is None:
        raise invalid(f"{host}:{port} is not an address")
    return found


def invalid(text: str) -> ConnectorError:
    return ConnectorError(text, ErrorCode.INVALID, nothing_changed=True)


def _target(values: Mapping[str, object], prefix: str, username: str = "") -> Target:
    def text(name: str) -> str:
        return str(values.get(prefix + name) or "")

    address = checked_address(values.get(f"{prefix}host"), values.get(f"{prefix}port") or PORT)
    login = Login(
        text("username") or username, text("password"), text("private_key"), text("passphrase")
    )
    if not login.username:
        raise invalid(f"The connection has no {prefix}username")
    if not login.password and not login.private_key:
        lacks = f"The connection has neither {prefix}password nor {prefix}private_key"
        raise ConnectorError(lacks, ErrorCode.AUTH, nothing_changed=True)
    return Target(address, login, _pinned(text("host_key"), f"{prefix}host_key"))


def _pinned(text: str, name: str) -> PublicKey | None:
    found = read_public_key(text) if text else None
    if text and found is None:
        raise invalid(f"{name} must be TYPE BASE64, as in a .pub file of the server")
    return found


def _seconds(values: Mapping[str, object], name: str, default: float) -> float:
    given = values.get(name)
    return default if given in (None, "") else float(str(given))
