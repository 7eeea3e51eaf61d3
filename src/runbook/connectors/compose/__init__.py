"""Docker Engine and Docker Compose, through the Docker CLI.

    from runbook.connectors import compose

    with compose.connect("ENGINE") as engine:     # an input with type: connection, kind: docker
        stack = engine.stack("web", "/opt/stacks/web")
        stack.up({"app": 3})
        for container in stack.containers():
            print(container.service, container.state, container.health)

Programs get lists of arguments; no shell is involved, and no secret is an argument. Every error is
a ConnectorError. In a dry run, reads happen; each change becomes a line of the plan with its exact
command. Needs the program `docker` with the plugin for Compose, and for SSH the extra `ssh`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runbook.connectors import connection
from runbook.connectors.check import CheckResult
from runbook.connectors.compose.cli import Cli
from runbook.connectors.compose.data import Container, Service
from runbook.connectors.compose.reaching import reached
from runbook.connectors.compose.stack import Engine, Stack
from runbook.connectors.compose.target import Target, Transport, target_of
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys, HostKeys, HostKeysOfRun
from runbook.script import commands

__all__ = [
    "Cli",
    "Container",
    "Engine",
    "Service",
    "Stack",
    "Target",
    "Transport",
    "check_knowing",
    "connect",
    "open_engine",
    "scan_host_keys",
]


def connect(input_name: str) -> Engine:
    """The engine of an input with `type: connection`. Raises ConnectorError."""
    return open_engine(connection.read(input_name), HostKeysOfRun(), dry_run=commands.dry_run())


def open_engine(given: ConnectionValues, host_keys: HostKeys, *, dry_run: bool = False) -> Engine:
    """Raises ConnectorError."""
    return Engine(reached(target_of(given), host_keys), dry_run=dry_run)


def check_knowing(given: ConnectionValues, host_keys: CollectedHostKeys) -> CheckResult:
    """Whether the engine answers and accepts the credentials, and whether there is Compose."""
    with open_engine(given, host_keys) as engine:
        version, plugin = engine.version(), engine.compose_version()
    return CheckResult(True, None, f"Docker Engine {version}, Docker Compose {plugin}", version)


def scan_host_keys(given: ConnectionValues, host_keys: CollectedHostKeys) -> Mapping[str, str]:
    """The host key that the server of a connection by SSH shows now. Raises ConnectorError."""
    target = target_of(given)
    if target.route is None:
        text = f"The connection {given.name} doesn't use SSH"
        raise ConnectorError(text, ErrorCode.INVALID, nothing_changed=True)
    from runbook.connectors import ssh

    values = {**given.values, "port": target.route.target.address.port}
    return ssh.scan_host_keys(replace(given, kind=ssh.KIND, values=values), host_keys)
