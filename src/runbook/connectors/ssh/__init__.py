"""SSH, through paramiko.

    from runbook.connectors import ssh

    with ssh.connect("SERVER") as server:       # an input with type: connection, kind: ssh
        print(server.run("uptime", reads=True).stdout)
        server.put("/etc/motd", b"Hello")
        server.run("systemctl reload sshd", check=True)

A server must show the host key that it showed at the first connection, or the one that the
connection pins. Every error is a ConnectorError. In a dry run, files are read and commands with
`reads=True` are executed; each change becomes a line of the plan. Needs the extra `ssh`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runbook.connectors import connection
from runbook.connectors.check import CheckResult
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys, HostKeys, HostKeysOfRun
from runbook.connectors.ssh.session import CommandResult, Session
from runbook.connectors.ssh.shell import Shell
from runbook.connectors.ssh.target import Route, invalid, route_of
from runbook.script import commands

__all__ = [
    "CommandResult",
    "Session",
    "Shell",
    "check_knowing",
    "connect",
    "open_session",
    "scan_host_keys",
]

KIND = "ssh"
EXTRA = "SSH needs more packages. Install them: pip install 'runbook-engine[ssh]'"


def connect(input_name: str, *, host: str | None = None) -> Session:
    """Log in at the server of an input with `type: connection`. Raises ConnectorError.

    `host` is another server that is reached with the connection's values.
    """
    given = connection.read(input_name)
    if given.kind != KIND:
        raise invalid(f"The connection {given.name} is of the kind {given.kind}, not {KIND}")
    values = given.values if host is None else {**given.values, "host": host}
    return open_session(route_of(given.name, values), HostKeysOfRun(), dry_run=commands.dry_run())


def open_session(route: Route, host_keys: HostKeys, *, dry_run: bool = False) -> Session:
    """For other connectors. Raises ConnectorError."""
    transport = _transport()
    return Session(route, transport.open_chain(route, host_keys), dry_run=dry_run)


def check_knowing(given: ConnectionValues, host_keys: CollectedHostKeys) -> CheckResult:
    """Whether the server has the known host key and accepts the credentials."""
    with open_session(route_of(given.name, given.values), host_keys) as session:
        version = session.server_version
    return CheckResult(True, None, version, version)


def scan_host_keys(given: ConnectionValues, host_keys: CollectedHostKeys) -> Mapping[str, str]:
    """The host keys that the servers of a connection show now, by address. Raises ConnectorError.

    Stops at the first that isn't the known one.
    """
    found = _transport().scan(route_of(given.name, given.values), host_keys)
    return {str(address): str(key) for address, key in found.items()}


def _transport() -> Any:
    """The module, which needs the extra."""
    try:
        from runbook.connectors.ssh import transport
    except ImportError:
        raise ConnectorError(EXTRA, ErrorCode.MISSING_EXTRA, nothing_changed=True) from None
    return transport
