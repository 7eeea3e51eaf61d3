"""The options --url and --token-stdin, which select a command's source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from runbook.cli.options.inputs import read_token
from runbook.cli.source.protocol import TOKEN_VARIABLE, URL_VARIABLE, RunSource
from runbook.quick_dataclass import dataclass

Callback = TypeVar("Callback", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The options that select a source."""

    url: str | None = None
    token_stdin: bool = False

    def token(self, environment: Mapping[str, str]) -> str:
        """The given bearer token, or an empty string."""
        if self.token_stdin:
            return read_token()
        return environment.get(TOKEN_VARIABLE, "").strip()

    @contextmanager
    def open(self) -> Iterator[RunSource]:
        """Open the server at `url` if given, else this machine's runbooks and runs."""
        from runbook.settings import process_environment

        environment = process_environment()
        token = self.token(environment)
        if self.url:
            from runbook.cli.source.remote import open_remote

            with open_remote(self.url, token) as source:
                yield source
        else:
            from runbook.cli.source.local import open_local

            with open_local(environment, token) as source:
                yield source


def source_options(callback: Callback) -> Callback:
    """Add --url and --token-stdin."""
    for decorate in (_token_option, url_option):
        callback = decorate(callback)
    return callback


url_option = click.option(
    "--url",
    envvar=URL_VARIABLE,
    show_envvar=True,
    metavar="URL",
    help="Use the server at this URL, for example http://localhost:8083, instead of this machine.",
)
_token_option = click.option(
    "--token-stdin",
    is_flag=True,
    help="Read the bearer token from standard input instead of RUNBOOK_TOKEN.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
