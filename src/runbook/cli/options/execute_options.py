"""The options of `runbook execute`."""

from __future__ import annotations

import math
from pathlib import Path

import click

from runbook.cli.options.inputs import CONNECTION_WITH_URL, Assignment, check_stdin_once
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ExecuteOptions:
    """The options of `runbook execute`."""

    runbook: str
    env: tuple[Assignment, ...] = ()
    env_file: Path | None = None
    secret: tuple[Assignment, ...] = ()
    connection: tuple[Assignment, ...] = ()
    token_stdin: bool = False
    reason: str | None = None
    timeout: float | None = None
    confirm: str | None = None
    dry_run: bool = False
    as_json: bool = False
    quiet: bool = False
    url: str | None = None
    ask: bool = False

    def check(self) -> None:
        """Raises click.UsageError for invalid or conflicting options."""
        check_stdin_once(self.secret, token_stdin=self.token_stdin)
        if self.ask:
            _check_terminal()
        if self.timeout is not None and not math.isfinite(self.timeout):
            raise click.UsageError("--timeout must be a finite number of seconds")
        if self.url and self.timeout is not None:
            raise click.UsageError("--timeout can't be used with --url: the server's applies")
        if self.url and self.connection:
            raise click.UsageError(CONNECTION_WITH_URL)
        if self.reason is not None and len(self.reason) > 500:
            raise click.UsageError("--reason must have at most 500 characters")


def _check_terminal() -> None:
    from runbook.cli.terminal.asking import is_terminal

    if not is_terminal():
        raise click.UsageError("--ask needs a terminal: pass the values with --env instead")
