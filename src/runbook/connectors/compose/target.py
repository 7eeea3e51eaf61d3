"""Where an engine is, and how it is reached: read from the values of a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.ssh.target import Route, invalid, route_of

KIND = "docker"
SOCKET = "/var/run/docker.sock"
TLS_PORT = 2376
TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 600.0


class Transport(StrEnum):
    LOCAL = "local"
    """A socket of this machine."""
    TLS = "tls"
    SSH = "ssh"


@dataclass(frozen=True, slots=True)
class Certificates:
    """In PEM. Without `ca`, the authorities that the system knows."""

    ca: str = ""
    certificate: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Target:
    """`name` is the connection's, `config` the folder with logins for registries.

    `timeout_s` is for a command that only reads, `command_timeout_s` for any other.
    """

    name: str
    transport: Transport
    host: str
    certificates: Certificates = Certificates()
    route: Route | None = None
    config: Path | None = None
    timeout_s: float = TIMEOUT_S
    command_timeout_s: float = COMMAND_TIMEOUT_S


def target_of(given: ConnectionValues) -> Target:
    """Raises ConnectorError."""
    if given.kind != KIND:
        raise invalid(f"The connection {given.name} is of the kind {given.kind}, not {KIND}")
    values = given.values

    def text(name: str, default: str = "") -> str:
        return str(values.get(name) or default)

    transport = Transport(text("transport", Transport.LOCAL))
    host, certificates, route = f"unix://{text('socket', SOCKET)}", Certificates(), None
    if transport is Transport.TLS:
        host = f"tcp://{_bracketed(_needed(given, 'host'))}:{text('port', str(TLS_PORT))}"
        certificates = _certificates(given)
    elif transport is Transport.SSH:
        _needed(given, "host")
        ssh_values = {**values, "port": values.get("ssh_port"), "command_timeout": None}
        route = route_of(given.name, ssh_values)
        host = f"ssh://{route.target.login.username}@{route.target.address}"
    return Target(
        given.name,
        transport,
        host,
        certificates,
        route,
        Path(text("config")) if text("config") else None,
        float(text("timeout", str(TIMEOUT_S))),
        float(text("command_timeout", str(COMMAND_TIMEOUT_S))),
    )


def _needed(given: ConnectionValues, name: str) -> str:
    value = str(given.values.get(name) or "")
    if not value:
        transport = given.values.get("transport")
        raise invalid(f"The connection {given.name} has no {name}, which {transport} needs")
    return value


def _certificates(given: ConnectionValues) -> Certificates:
    values = given.values
    certificate, key = (str(values.get(name) or "") for name in ("client_cert", "client_key"))
    if not certificate or not key:
        text = f"The connection {given.name} has no client_cert and client_key, which tls needs"
        raise ConnectorError(text, ErrorCode.AUTH, nothing_changed=True)
    return Certificates(str(values.get("ca") or ""), certificate, key)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
