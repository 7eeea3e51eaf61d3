"""Proxmox VE, through proxmoxer.

    from runbook.connectors import proxmox

    pve = proxmox.connect("PROXMOX")         # an input with type: connection
    for node in pve.api.nodes.get():         # proxmoxer's own API
        print(node["node"])
    pve.run(pve.api.nodes("pve1").lxc(104).status.start.post())   # waits for the task

Every error is a ConnectorError. In a dry run, reads happen, and each change becomes a line of the
plan and is not sent. Needs the extra `proxmox`.
"""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from runbook.connectors import connection
from runbook.connectors.check import CheckResult
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.proxmox.session import Session
from runbook.connectors.proxmox.tasks import WHOLE, Span, follow
from runbook.script import commands

__all__ = ["Proxmox", "Span", "check", "connect"]

EXTRA = "Proxmox VE needs more packages. Install them: pip install 'runbook-engine[proxmox]'"
PORT = 8006
TIMEOUT_S = 30


class Proxmox:
    """A Proxmox VE cluster. `api` is proxmoxer's ProxmoxAPI; `name` is the connection's."""

    def __init__(self, name: str, values: Mapping[str, object], *, dry_run: bool = False) -> None:
        self.name = name
        self.timeout_s = _number(values, "timeout", TIMEOUT_S)
        self.dry_run = dry_run
        self._session = Session(str(values.get("host") or ""), dry_run=dry_run)
        self.api = _api(values, self.timeout_s, self._session)

    def close(self) -> None:
        """Close the connections. Not needed at the end of a script."""
        self._session.close()

    def run(self, upid: str | None, *, progress: Span = WHOLE) -> None:
        """Wait for a task: print its log, and report its percentage as the run's progress.

        The task's exit status decides. `progress` is the part of the run's progress that the task
        has. If the script is cancelled, the task is stopped. Raises ConnectorError.
        """
        if upid is not None:  # in a dry run there is no task
            follow(self.api, upid, progress)


def connect(input_name: str) -> Proxmox:
    """The cluster of an input with `type: connection`. Raises ConnectorError."""
    given = connection.read(input_name)
    return Proxmox(given.name, given.values, dry_run=commands.dry_run())


def check(values: Mapping[str, object]) -> CheckResult:
    """Whether the cluster answers and accepts the credentials."""
    try:
        with closing(Proxmox("", values)) as cluster:
            version = str(cluster.api.version.get()["version"])
    except ConnectorError as error:
        return CheckResult(False, error.code, error.message)
    return CheckResult(True, None, f"Proxmox VE {version}", version)


def _api(values: Mapping[str, object], timeout_s: float, session: Session) -> Any:
    try:
        import requests  # noqa: F401 - proxmoxer would exit without it
        from proxmoxer import AuthenticationError, ProxmoxAPI
    except ImportError:
        raise ConnectorError(EXTRA, ErrorCode.MISSING_EXTRA, nothing_changed=True) from None
    with session.translating():
        try:
            api = ProxmoxAPI(
                session.host,
                port=int(_number(values, "port", PORT)),
                verify_ssl=_verification(values),
                timeout=timeout_s,
                **_credentials(values),
            )
        except AuthenticationError:
            text = f"{session.host} doesn't accept the user or the password"
            raise ConnectorError(text, ErrorCode.AUTH, nothing_changed=True) from None
    session.wrap(api)
    return api


def _credentials(values: Mapping[str, object]) -> dict[str, str]:
    """Those of a token if there is one, which expires and can be revoked by itself."""
    token_id, secret = str(values.get("token_id") or ""), str(values.get("token_secret") or "")
    if token_id and secret:
        user, mark, name = token_id.partition("!")
        if not mark:
            text = f"token_id must be USER@REALM!NAME, not {token_id}"
            raise ConnectorError(text, ErrorCode.INVALID, nothing_changed=True)
        return {"user": user, "token_name": name, "token_value": secret}
    if values.get("user") and values.get("password"):
        return {"user": str(values["user"]), "password": str(values["password"])}
    text = "The connection has neither token_id and token_secret nor user and password"
    raise ConnectorError(text, ErrorCode.AUTH, nothing_changed=True)


def _verification(values: Mapping[str, object]) -> bool | str:
    """Whether to verify the certificate, or the path of the certificates to trust."""
    from runbook.connectors.transport import tls_context, verifies

    if not verifies(tls_context(values)):
        return False
    authority = str(values.get("ca") or "")
    if not authority:
        return True
    with tempfile.NamedTemporaryFile("w", suffix=".pem", delete=False) as file:
        file.write(authority)
    # requests reads it for each connection.
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name


def _number(values: Mapping[str, object], name: str, default: float) -> float:
    given = values.get(name)
    return default if given in (None, "") else float(str(given))
