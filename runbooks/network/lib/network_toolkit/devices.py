"""A device's command line, as its vendor's template describes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from network_toolkit import given, vendors
from network_toolkit.vendors import Vendor
from runbook.connectors import connection, ssh
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.ssh import Shell

DEVICE = "DEVICE"
CONFIG_S = 180.0
COMMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Cli:
    """A shell that is ready for commands."""

    name: str
    vendor: Vendor
    shell: Shell

    def read(self, command: str, *, timeout: float | None = None) -> str:
        """Of a command that changes nothing. Raises device_error with the device's words."""
        return self._checked(command, self.shell.send(command, reads=True, timeout=timeout))

    def change(self, command: str, *, timeout: float | None = None) -> str:
        return self._checked(command, self.shell.send(command, timeout=timeout))

    def all(self, commands: Iterable[str], **values: object) -> None:
        for command in commands:
            self.change(command.format(**values), timeout=COMMIT_S)

    def _checked(self, command: str, output: str) -> str:
        error = self.vendor.error_in(output)
        if error is not None:
            text = f"{self.name}: `{command}`: {error}"
            raise ConnectorError(text, ErrorCode.DEVICE_ERROR, answered=True)
        return output

    def config(self) -> str:
        """The running configuration, normalized, with its secrets."""
        output = self.shell.send(self.vendor.show, reads=True, timeout=CONFIG_S)
        # Further down, a banner may look like an error.
        self._checked(self.vendor.show, "\n".join(output.splitlines()[:3]))
        text = self.vendor.normalized(output)
        if not text.strip():
            raise ConnectorError(f"{self.name}: the configuration is empty", ErrorCode.TRUNCATED)
        return text

    def version(self) -> str:
        """Empty if it can't be told."""
        asked = self.vendor.version
        if asked is None:
            return ""
        found = asked.pattern.search(self.read(asked.command))
        return found[1] if found else ""


def name_of() -> str:
    return os.environ[DEVICE]


def vendor_of() -> Vendor:
    device = connection.read(DEVICE).device or {}
    return vendors.load(
        given.text("VENDOR", vendors.AUTO), given.text("TEMPLATE"), str(device.get("vendor") or "")
    )


@contextmanager
def opened(vendor: Vendor) -> Iterator[Cli]:
    """Log in. Raises ConnectorError."""
    with (
        ssh.connect(DEVICE) as session,
        session.shell(vendor.prompt, pager=vendor.pager) as shell,
    ):
        cli = Cli(name_of(), vendor, shell)
        _become_privileged(cli)
        for command in vendor.setup:
            cli.read(command)
        yield cli


def _become_privileged(cli: Cli) -> None:
    password, how = os.environ.get("ENABLE", ""), cli.vendor.privileged
    if not password or how is None:
        return
    either = f"{how.ask}|{cli.vendor.prompt}"
    cli.shell.send(how.command, reads=True, prompt=either)
    said = cli.shell.send(password, reads=True, prompt=either)
    if cli.vendor.error_in(said) or "assword" in said:
        text = f"{cli.name}: the password for {how.command} isn't accepted"
        raise ConnectorError(text, ErrorCode.AUTH, nothing_changed=True)
