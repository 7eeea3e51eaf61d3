"""`runbook serve`."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click

import runbook
from runbook.cli.commands import ExampleCommand, invocation
from runbook.cli.terminal.messages import print_warning
from runbook.errors import ConfigurationError

if TYPE_CHECKING:
    from runbook.settings import Settings

WEB_APP = Path(runbook.__file__).parent / "api" / "static" / "index.html"
HOW_TO_BUILD = "`make setup` in a checkout builds it, which needs Node"


@click.command(
    "serve",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook serve --runbooks-dir ./runbooks --port 8083",
        "ENABLE_LOGIN=true runbook serve",
        "BIND_HOST=0.0.0.0 JWT_SECRET=$(openssl rand -hex 32) runbook serve",
    ),
    short_help="Serve the HTTP API and the web app.",
)
@click.option(
    "--runbooks-dir",
    type=click.Path(path_type=Path),
    help="Folder of the runbooks. Defaults to RUNBOOKS_DIR.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on. Defaults to API_PORT."
)
@click.option("--bind", metavar="HOST", help="Address to listen on. Defaults to BIND_HOST.")
@click.pass_context
def serve(
    context: click.Context, runbooks_dir: Path | None, port: int | None, bind: str | None
) -> int:
    """Serve the HTTP API and the web app, and execute runs, until SIGTERM or Ctrl-C.

    Settings come from the environment. `runbook config` lists them; `runbook doctor` checks them.
    """
    from runbook.engine.process.limits import runs_allowed
    from runbook.host.supervisor import serve as serve_until_told
    from runbook.settings import Settings, process_environment
    from runbook.settings_checks import prepare_data_dir

    given = {"RUNBOOKS_DIR": runbooks_dir, "API_PORT": port, "BIND_HOST": bind}
    overrides = {name: str(value) for name, value in given.items() if value is not None}
    environment = invocation(context).environment or process_environment()
    settings = Settings.load({**environment, **overrides})
    # Checked here, or each process would print its own line.
    refuse_taken_ports(settings)
    runs_allowed(1)
    prepare_data_dir(settings)
    if not WEB_APP.is_file():
        print_warning(
            f"The web app is missing from this installation: {HOW_TO_BUILD}. "
            "The API works without it"
        )
    return serve_until_told(environment, overrides)


def refuse_taken_ports(settings: Settings) -> None:
    """Fail early instead of letting the web processes retry forever.

    Raises ConfigurationError if another program listens on one of our ports.
    """
    ports = {"API_PORT": settings.api_port, "METRICS_PORT": settings.metrics_port}
    for name, port in ports.items():
        if port and _is_taken(settings.bind_host, port):
            raise ConfigurationError(
                f"Another program is listening on {settings.bind_host}:{port}. Stop it, or set "
                f"{name} to another port"
            )


def _is_taken(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:  # the web processes report other errors
        return error.errno == errno.EADDRINUSE
    return False
