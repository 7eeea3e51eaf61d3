"""The root command and all its subcommands."""

from __future__ import annotations

import click

from runbook.cli.artifacts import artifacts
from runbook.cli.audit import audit
from runbook.cli.authoring.cases import test
from runbook.cli.authoring.fmt import fmt
from runbook.cli.authoring.lint import lint
from runbook.cli.authoring.new import new
from runbook.cli.call import call
from runbook.cli.commands import RunbookGroup
from runbook.cli.completion import completion
from runbook.cli.config import config
from runbook.cli.connections.connections import connections
from runbook.cli.doctor import doctor
from runbook.cli.execute import execute
from runbook.cli.fanout.devices import continue_, devices, pause
from runbook.cli.fanout.fanout import fanout
from runbook.cli.images.package import package
from runbook.cli.inputs import inputs
from runbook.cli.inventory.blame import blame
from runbook.cli.inventory.inventory import inventory
from runbook.cli.keeping.backup import backup, restore
from runbook.cli.keeping.database import database
from runbook.cli.lab.lab import lab
from runbook.cli.rerun import resume, retry, undo
from runbook.cli.runbooks import list_runbooks, show, validate
from runbook.cli.runs import cancel, list_runs, logs
from runbook.cli.script_values import artifact, device, env, mask, output, plan, progress, summary
from runbook.cli.serve import serve
from runbook.cli.token import token
from runbook.cli.toolkits.toolkit import toolkit
from runbook.cli.verify import verify
from runbook.cli.version import version
from runbook.cli.who_can import who_can

HELP = """Run Markdown runbooks and inspect the results.

\b
Examples:
  $ runbook validate Deploy.md
  $ runbook execute --runbook Deploy.md --env STAGE=test
  $ runbook serve --runbooks-dir ./runbooks --port 8083
  $ runbook runs --status failed --since 24h

A runbook is a Markdown file that states its inputs, who may run it, and its steps. The engine
appends a record of each run to it. `runbook COMMAND --help` shows examples for each command.
"""

OF_SCRIPTS = (call, fanout, progress, env, output, summary, mask, plan, artifact, device)
"""Commands for scripts."""

COMMANDS = (
    execute,
    validate,
    list_runbooks,
    show,
    inputs,
    list_runs,
    logs,
    devices,
    cancel,
    pause,
    continue_,
    retry,
    resume,
    undo,
    artifacts,
    audit,
    verify,
    new,
    lint,
    fmt,
    test,
    package,
    who_can,
    toolkit,
    connections,
    inventory,
    blame,
    lab,
    token,
    serve,
    doctor,
    config,
    backup,
    restore,
    database,
    version,
    completion,
    *OF_SCRIPTS,
)


class OrderedGroup(RunbookGroup):
    """Lists the commands in the given order: the most used first."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the base class's signature
        return list(self.commands)


cli = OrderedGroup(
    name="runbook",
    help=HELP,
    commands=list(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
