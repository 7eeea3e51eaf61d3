"""NetBox for scripts, with pynetbox.

    from runbook.connectors import netbox

    nb = netbox.connect("NETBOX")    # NETBOX is an input with type: connection, kind: netbox
    prefix = nb.ipam.prefixes.get(prefix="10.10.20.0/24")
    address = prefix.available_ips.create({"description": "web-1"})

Every request has a timeout. What NetBox refuses raises ConnectorError, with NetBox's own messages
for each field. In a dry run, nothing is changed: each change becomes a line of the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runbook.connectors import connection
from runbook.connectors.check import CheckResult
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.script.commands import dry_run

if TYPE_CHECKING:
    from pynetbox.core.api import Api

KIND = "netbox"
OLDEST = (4, 2)
"""Older versions say by `site` where a prefix belongs, newer ones by `scope`."""


def connect(input_name: str) -> Api:
    """A pynetbox client for the connection of an input. Raises ConnectorError."""
    return client(connection.read(input_name), planning=dry_run())


def client(given: ConnectionValues, *, planning: bool) -> Api:
    """With `planning`, no request that changes something is sent."""
    if given.kind != KIND:
        text = f"The connection {given.name} is of the kind {given.kind}, not {KIND}"
        raise ConnectorError(text, ErrorCode.INVALID)
    try:
        import pynetbox
    except ImportError:
        text = "pynetbox isn't installed. Install the extra: pip install 'runbook-engine[netbox]'"
        raise ConnectorError(text, ErrorCode.MISSING_EXTRA, nothing_changed=True) from None
    from runbook.connectors.netbox_session import NetBoxSession, PlanningSession
    from runbook.connectors.transport import tls_context

    values = given.values
    made = PlanningSession if planning else NetBoxSession
    api = pynetbox.api(_text(values, "url").rstrip("/"), token=_text(values, "token"))
    api.http_session = made(given.name, tls_context(values), timeout_s=_seconds(values))
    return api


def check(values: Mapping[str, object]) -> CheckResult:
    """Whether NetBox answers and accepts the token."""
    try:
        api = client(ConnectionValues("NetBox", KIND, values), planning=False)
        version = str(api.status().get("netbox-version", ""))
        # The status can be public: only a read of an object shows what the token may do.
        api.ipam.prefixes.count()
    except ConnectorError as error:
        return CheckResult(False, error.code, str(error))
    if not is_supported(version):
        oldest = ".".join(map(str, OLDEST))
        text = f"NetBox {version} is too old: use {oldest} or newer"
        return CheckResult(False, ErrorCode.INVALID, text, version)
    return CheckResult(True, None, f"NetBox {version}", version)


def is_supported(version: str) -> bool:
    """Whether a version such as 4.7.3 or 4.7.3-Docker-3.1 is new enough."""
    parts = version.split("-", maxsplit=1)[0].split(".")
    numbers = tuple(int(part) for part in parts[:2] if part.isdecimal())
    return len(numbers) == len(OLDEST) and numbers >= OLDEST


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise ConnectorError(f"The connection has no {name}", ErrorCode.INVALID)
    return value


def _seconds(values: Mapping[str, object]) -> float:
    value: Any = values.get("timeout") or 30
    return float(value)
