"""`runbook inputs`."""

from __future__ import annotations

from typing import Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_files_and_refs
from runbook.cli.runbooks import file_or_ref
from runbook.cli.source.choose import SourceOptions, source_options
from runbook.cli.terminal.messages import print_json
from runbook.core.permissions import Permission


@click.command(
    "inputs",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_READ,
    examples=(
        "runbook inputs Deploy.md",
        "runbook inputs proxmox/CreateVm.md --url http://localhost:8083",
        "runbook inputs Deploy.md | jq -r '.properties | keys[]'",
    ),
    short_help="Print the inputs of a runbook as JSON Schema.",
)
@click.argument("what", metavar="FILE|REF", shell_complete=complete_files_and_refs)
@source_options
def inputs(what: str, **given: Any) -> None:
    """Print the inputs of a runbook as JSON Schema (2020-12): types, rules and defaults.

    Choices from another runbook are included once that runbook has succeeded.
    """
    with file_or_ref(SourceOptions(**given), what) as (source, ref):
        print_json(source.inputs(ref))
