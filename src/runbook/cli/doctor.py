"""`runbook doctor`: checks this machine and its settings."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal import color
from runbook.cli.terminal.messages import print_json, print_line
from runbook.cli.terminal.render import table, text_of
from runbook.core.permissions import Permission

if TYPE_CHECKING:
    from runbook.cli.keeping.findings import Finding


@click.command(
    "doctor",
    cls=ExampleCommand,
    permission=Permission.SERVER_READ,
    examples=(
        "runbook doctor",
        "runbook doctor --json | jq '.findings[] | select(.state!=\"ok\")'",
    ),
    short_help="Check this machine and its settings.",
)
@json_option
def doctor(as_json: bool) -> int:
    """Check this machine and its settings, and show how to fix problems.

    The exit code is 1 if any check fails. Warnings don't count.
    """
    from runbook.cli.checks import examine
    from runbook.cli.keeping.findings import State
    from runbook.settings import process_environment

    environment = process_environment()
    findings = examine(environment)
    failed = any(finding.state is State.FAILED for finding in findings)
    if as_json:
        print_json({"success": not failed, "findings": [item.as_json() for item in findings]})
        return int(failed)
    colour = color.wanted(sys.stdout, environment)
    rows = (
        [
            color.paint(finding.state.value, colour=colour),
            finding.name,
            text_of(_told(finding)),
        ]
        for finding in findings
    )
    for line in table(("STATE", "CHECK", "FINDING"), rows):
        print_line(line)
    return int(failed)


def _told(finding: Finding) -> str:
    return f"{finding.text.rstrip('.')}: {finding.advice}" if finding.advice else finding.text
