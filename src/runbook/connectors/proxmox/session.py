"""Sends proxmoxer's requests: with our errors, and none that changes anything in a dry run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from runbook.connectors.effects import plan_change
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.proxmox.errors import error_of

ROOT = "/api2/json"
READ = "GET"
TRIES = 5
PAUSE_S = 0.2
SECRET_VALUES = frozenset({"password", "cipassword"})


class Planned:
    """The answer to a request that was not sent."""

    status_code = 200
    reason = "OK"
    text = '{"data":null}'
    content = text.encode()


class Session:
    """Stands between proxmoxer and its own session."""

    def __init__(self, host: str, *, dry_run: bool) -> None:
        self.host = host
        self._dry_run = dry_run
        self._session: Any = None

    def wrap(self, api: Any) -> None:
        """Take the place of the session of a ProxmoxAPI."""
        self._session = api._store["session"]  # noqa: SLF001 - it has no other way
        api._store["session"] = self  # noqa: SLF001

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def request(
        self,
        method: str,
        url: str,
        data: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Any:
        """Send a request. A read that meets a broken connection is sent again."""
        if method != READ and self._dry_run:
            plan_change(described(method, url, {**(data or {}), **(params or {})}))
            return Planned()
        tries = TRIES if method == READ else 1
        for number in range(1, tries + 1):
            try:
                return self._send(method, url, data, params)
            except ConnectorError as error:
                if error.code is not ErrorCode.UNREACHABLE or number == tries:
                    raise
                time.sleep(PAUSE_S * 2 ** (number - 1))
        raise AssertionError

    def _send(
        self,
        method: str,
        url: str,
        data: Mapping[str, object] | None,
        params: Mapping[str, object] | None,
    ) -> Any:
        with self.translating():
            reply = self._session.request(method, url, data=data, params=params)
        if reply.status_code >= 400:
            raise error_of(self.host, reply.status_code, reply.reason or "", reply.text)
        return reply

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Raise errors of the connection as ConnectorError."""
        from requests import exceptions

        from runbook.connectors.transport import code_and_effect, reason_of

        try:
            yield
        except exceptions.RequestException as error:
            code, unsent = code_and_effect(error)
            match code:
                case ErrorCode.TLS:
                    text = f"{self.host}: the certificate can't be verified: {reason_of(error)}"
                case ErrorCode.TIMEOUT:
                    text = f"{self.host} didn't answer in time"
                case _:
                    text = f"{self.host} can't be reached: {reason_of(error)}"
            raise ConnectorError(text, code, nothing_changed=unsent) from None


def described(method: str, url: str, values: Mapping[str, object]) -> str:
    """`POST /nodes/pve1/lxc cores=2 vmid=104`: a request in one line."""
    path = urlsplit(url).path.removeprefix(ROOT)
    shown = [
        f"{name}={'***' if name in SECRET_VALUES else value}"
        for name, value in sorted(values.items())
    ]
    return " ".join([method, path, *shown])
