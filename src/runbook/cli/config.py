"""`runbook config`."""

from __future__ import annotations

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.source.choose import json_option
from runbook.cli.terminal.messages import print_json, print_line
from runbook.cli.terminal.render import table, text_of
from runbook.core.permissions import Permission


@click.command(
    "config",
    cls=ExampleCommand,
    permission=Permission.CONFIG_READ,
    examples=(
        "runbook config",
        "runbook config --changed",
        "runbook config --json | jq -r '.config_items[] | select(.from==\"environment\").name'",
    ),
    short_help="List all settings.",
)
@click.option("--changed", is_flag=True, help="List only settings that differ from their default.")
@json_option
def config(changed: bool, as_json: bool) -> None:
    """List all settings with their value, source and meaning.

    Each setting is an environment variable. The values of secrets appear as `secret`.
    """
    from runbook.cli.source.opening import load_settings
    from runbook.settings import config_items, process_environment

    items = [
        {
            "name": item.name,
            "value": item.value,
            "from": item.source,
            "description": item.description,
        }
        for item in config_items(load_settings(process_environment()))
        if not changed or item.source != "default"
    ]
    if as_json:
        print_json({"config_items": items})
        return
    rows = (
        [item["name"], text_of(item["value"]), item["from"], item["description"]] for item in items
    )
    for line in table(("SETTING", "VALUE", "FROM", "MEANING"), rows):
        print_line(line)
