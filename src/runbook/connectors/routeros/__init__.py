"""RouterOS: the API through librouteros, and SSH through paramiko.

    from runbook.connectors import routeros

    with routeros.connect("ROUTER") as router:      # an input with type: connection, kind: routeros
        for row in router.print("/ip/address", where={"interface": "ether1"}):
            print(row["address"])
        made = router.add("/ip/address", {"address": "10.0.0.1/24", "interface": "ether1"})
        router.set("/ip/address", made, {"comment": "uplink"})
        text = router.export()

Every error is a ConnectorError. In a dry run, reads happen; each change becomes a line of the plan.
`router.api` is librouteros' Api, for what isn't here. Needs the extra `routeros`; librouteros is
under the GPL, so only a runbook's own process loads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runbook.connectors import connection
from runbook.connectors.check import CheckResult
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys, HostKeys, HostKeysOfRun
from runbook.connectors.routeros.endpoint import endpoint_of
from runbook.connectors.ssh.target import invalid
from runbook.script import commands

if TYPE_CHECKING:
    from runbook.connectors.routeros.router import Router

__all__ = ["check_knowing", "connect", "open_router", "scan_host_keys"]

KIND = "routeros"
EXTRA = "RouterOS needs more packages. Install them: pip install 'runbook-engine[routeros]'"


def connect(input_name: str, *, host: str | None = None) -> Router:
    """Log in at the router of an input with `type: connection`. Raises ConnectorError.

    `host` is another router that is reached with the connection's values.
    """
    given = connection.read(input_name)
    if given.kind != KIND:
        raise invalid(f"The connection {given.name} is of the kind {given.kind}, not {KIND}")
    if host is not None:
        given = ConnectionValues(given.name, given.kind, {**given.values, "host": host})
    return open_router(given, HostKeysOfRun(), dry_run=commands.dry_run())


def open_router(given: ConnectionValues, host_keys: HostKeys, *, dry_run: bool = False) -> Router:
    """Raises ConnectorError."""
    try:
        from runbook.connectors.routeros.router import Router
    except ImportError:
        raise ConnectorError(EXTRA, ErrorCode.MISSING_EXTRA, nothing_changed=True) from None
    return Router(endpoint_of(given.name, given.values), host_keys, dry_run=dry_run)


def check_knowing(given: ConnectionValues, host_keys: CollectedHostKeys) -> CheckResult:
    """Whether the API answers and accepts the credentials. SSH is not asked: not all need it."""
    with open_router(given, host_keys) as router:
        board, version = router.board, str(router.version)
    return CheckResult(True, None, f"RouterOS {version} on {board}", version)


def scan_host_keys(given: ConnectionValues, host_keys: CollectedHostKeys) -> Mapping[str, str]:
    """The host key that the router shows now, by address. Raises ConnectorError."""
    try:
        from runbook.connectors.ssh import transport
    except ImportError:
        raise ConnectorError(EXTRA, ErrorCode.MISSING_EXTRA, nothing_changed=True) from None
    found = transport.scan(endpoint_of(given.name, given.values).ssh, host_keys)
    return {str(address): str(key) for address, key in found.items()}
