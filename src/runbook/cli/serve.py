"""`runbook serve`."""

from __future__ import annotations

from pathlib import Path

import click

from runbook.cli.commands import ExampleCommand, invocation


@click.command(
    "serve",
    cls=ExampleCommand,
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
    help="Folder of the runbooks; RUNBOOKS_DIR if not given.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; API_PORT if not given."
)
@click.option("--bind", metavar="HOST", help="Address to listen on; BIND_HOST if not given.")
@click.pass_context
def serve(
    context: click.Context, runbooks_dir: Path | None, port: int | None, bind: str | None
) -> int:
    """Serve the HTTP API and the web app, and execute runs, until SIGTERM or Ctrl-C.

    Settings come from the environment; `runbook config` lists them, `runbook doctor` checks them.
    """
    from runbook.settings import process_environment
    from runbook.supervisor import serve as serve_until_told

    given = {"RUNBOOKS_DIR": runbooks_dir, "API_PORT": port, "BIND_HOST": bind}
    overrides = {name: str(value) for name, value in given.items() if value is not None}
    environment = invocation(context).environment or process_environment()
    return serve_until_told(environment, overrides)
