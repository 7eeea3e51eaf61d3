"""Where the services of a router are: read from the values of a connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from runbook.connectors.ssh.target import (
    Login,
    Route,
    Target,
    Timeouts,
    checked_address,
    invalid,
    timeouts_of,
)
from runbook.core.ssh.host_key import HostAddress

API_SSL_PORT = 8729
SSH_PORT = 22


class Tls(StrEnum):
    """None of them falls back to another."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The API of a router. `name` is the connection's, `ssh` the way to its SSH server."""

    name: str
    address: HostAddress
    username: str
    password: str = field(repr=False)
    tls: Tls
    ca: str
    timeouts: Timeouts
    ssh: Route

    @property
    def service(self) -> str:
        return "api" if self.tls is Tls.PLAIN else "api-ssl"


def endpoint_of(name: str, values: Mapping[str, object]) -> Endpoint:
    """Raises ConnectorError."""

    def text(field_name: str) -> str:
        return str(values.get(field_name) or "")

    username, password = text("username"), text("password")
    if not username:
        raise invalid("The connection has no username")
    tls = text("tls") or Tls.VERIFIED.value
    if tls not in list(Tls):
        raise invalid(f"tls must be one of {', '.join(Tls)}, not {tls}")
    timeouts = timeouts_of(values)
    login = Login(
        text("ssh_username") or username, text("ssh_password") or password, text("ssh_private_key")
    )
    shell = checked_address(values.get("host"), values.get("ssh_port") or SSH_PORT)
    return Endpoint(
        name,
        checked_address(values.get("host"), values.get("port") or API_SSL_PORT),
        username,
        password,
        Tls(tls),
        text("ca"),
        timeouts,
        Route(name, Target(shell, login), None, timeouts),
    )
