"""Where runbooks and runs are read: on this machine, or from a server. The answers are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import click

from runbook.cli.inputs import GivenInputs, read_token

Json = Mapping[str, Any]
Callback = TypeVar("Callback", bound=Callable[..., Any])
TOKEN_VARIABLE = "RUNBOOK_TOKEN"  # noqa: S105 - a variable's name
URL_VARIABLE = "RUNBOOK_URL_BASE"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs to list. `since` is in milliseconds since the epoch."""

    runbook: str | None = None
    statuses: tuple[str, ...] = ()
    who: str | None = None
    since: int | None = None


class Source(Protocol):
    """What reading commands ask for, in the JSON forms of the HTTP API.

    Methods raise RunbookError: NotFoundError, AuthenticationError, ServerUnavailableError, ...
    """

    def runbooks(self) -> list[Json]: ...

    def runbook(self, ref: str) -> Json: ...

    def inputs(self, ref: str) -> Json:
        """The runbook's inputs as a JSON Schema."""

    def validate(self, ref: str, inputs: GivenInputs) -> Json: ...

    def runs(self, query: RunQuery, cursor: str | None, limit: int) -> Json:
        """`{"runs": [...], "next_cursor": ...}`, newest first, at most `limit` (to 200)."""

    def run(self, run_id: str) -> Json: ...

    def events(self, run_id: str, *, after: int = 0) -> Iterator[Json]:
        """The events numbered above `after`, as they happen, up to and including `done`."""

    def cancel(self, run_id: str) -> Json: ...

    def artifacts(self, run_id: str) -> list[Json]: ...

    def artifact(self, run_id: str, name: str) -> bytes:
        """The content of a file that the run left."""


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Which source was asked for."""

    url: str | None = None
    token_stdin: bool = False

    def token(self, environment: Mapping[str, str]) -> str:
        """The bearer token that was given, or an empty text."""
        if self.token_stdin:
            return read_token()
        return environment.get(TOKEN_VARIABLE, "").strip()

    @contextmanager
    def open(self) -> Iterator[Source]:
        """The server at `url`, else this machine's runbooks and runs."""
        from runbook.settings import process_environment

        environment = process_environment()
        token = self.token(environment)
        if self.url:
            from runbook.cli.remote import open_remote

            with open_remote(self.url, token) as source:
                yield source
        else:
            from runbook.cli.local import open_local

            with open_local(environment, token) as source:
                yield source


def source_options(callback: Callback) -> Callback:
    """--url and --token-stdin, given to the command as one `source`."""
    for decorate in (_token_option, url_option):
        callback = decorate(callback)
    return callback


url_option = click.option(
    "--url",
    envvar=URL_VARIABLE,
    show_envvar=True,
    metavar="URL",
    help="Ask this server, such as http://localhost:8083, instead of this machine.",
)
_token_option = click.option(
    "--token-stdin",
    is_flag=True,
    help="Read the bearer token from standard input instead of RUNBOOK_TOKEN.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
