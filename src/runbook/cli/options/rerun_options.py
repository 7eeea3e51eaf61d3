"""The options of `runbook retry`, `resume` and `undo`."""

from __future__ import annotations

from pathlib import Path

import click

from runbook.cli.options.inputs import CONNECTION_WITH_URL, Assignment, check_stdin_once
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class RerunOptions:
    """The options of one of these commands."""

    run_id: str
    start: str | None = None
    runbook: str | None = None
    env: tuple[Assignment, ...] = ()
    env_file: Path | None = None
    secret: tuple[Assignment, ...] = ()
    connection: tuple[Assignment, ...] = ()
    reason: str | None = None
    confirm: str | None = None
    as_json: bool = False
    quiet: bool = False
    url: str | None = None
    token_stdin: bool = False

    def check(self) -> None:
        """Raises click.UsageError for conflicting options."""
        check_stdin_once(self.secret, token_stdin=self.token_stdin)
        if self.url and self.connection:
            raise click.UsageError(CONNECTION_WITH_URL)
