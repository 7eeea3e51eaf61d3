"""The values of a connection from the command line and from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runbook.cli.options.inputs import (
    Assignment,
    AssignmentType,
    SecretType,
    gather,
    read_text_file,
)
from runbook.quick_dataclass import dataclass

if TYPE_CHECKING:
    from runbook.core.connection_file import ConnectionFile

Callback = TypeVar("Callback", bound=Callable[..., Any])


def value_options(callback: Callback) -> Callback:
    options = (
        click.option(
            "--set",
            "settings",
            type=AssignmentType(),
            multiple=True,
            metavar="FIELD=VALUE",
            help="Value of a field that is no secret. Repeatable.",
        ),
        click.option(
            "--secret",
            "secrets",
            type=SecretType(),
            multiple=True,
            metavar="FIELD=@FILE|-",
            help="Secret from a file, or from standard input or a prompt. Repeatable.",
        ),
        click.option(
            "--claim",
            "claims",
            type=AssignmentType(),
            multiple=True,
            metavar="NAME=VALUE",
            help="Claim that callers need to use it. Repeat a name to allow several values.",
        ),
        click.option(
            "--label",
            "labels",
            type=AssignmentType(),
            multiple=True,
            metavar="NAME=VALUE",
            help="Label, such as site=berlin. Repeatable.",
        ),
        click.option("--description", help="What the system is."),
    )
    for decorate in reversed(options):
        callback = decorate(callback)
    return callback


@dataclass(frozen=True, slots=True)
class ValueOptions:
    """The options of `add` and `edit` that say what a connection has."""

    settings: tuple[Assignment, ...] = ()
    secrets: tuple[Assignment, ...] = ()
    claims: tuple[Assignment, ...] = ()
    labels: tuple[Assignment, ...] = ()
    description: str | None = None

    def values(self, kind: str) -> dict[str, object]:
        """The values of --set and --secret. Reads the secrets. Raises click.UsageError."""
        from runbook.connectors.kinds import KINDS

        hidden = KINDS[kind].secrets if kind in KINDS else frozenset()
        for given in self.settings:
            if given.name in hidden:
                raise click.UsageError(
                    f"pass {given.name} with --secret {given.name}=@FILE or --secret "
                    f"{given.name}=-, because every process can read a command line"
                )
        return {**gather(self.settings, self.secrets, None).values}

    def claim_lists(self) -> dict[str, object]:
        found: dict[str, list[str]] = {}
        for given in self.claims:
            found.setdefault(given.name, []).append(given.value)
        return {**found}

    def label_texts(self) -> dict[str, object]:
        return {given.name: given.value for given in self.labels}


def read_connection_file(path: Path | None) -> ConnectionFile:
    """What a file says; nothing without one. Raises InvalidConnectionError and UsageError."""
    from runbook.core.connection_file import ConnectionFile, read_connection
    from runbook.core.document import texts_of
    from runbook.errors import InvalidConnectionError

    if path is None:
        return ConnectionFile()
    found, problems = read_connection(read_text_file(path, str(path)))
    if problems:
        text = f"{path}: {'; '.join(texts_of(problems))}"
        raise InvalidConnectionError(text, problems=tuple(problems))
    return found
