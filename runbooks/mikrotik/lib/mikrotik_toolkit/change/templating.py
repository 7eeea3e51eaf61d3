"""Renders a template for a router, and pushes the script."""

from __future__ import annotations

import os
from pathlib import Path

import runbook
from mikrotik_toolkit import given, known, showing
from mikrotik_toolkit.change import templates
from mikrotik_toolkit.change.templates import Target, Template
from runbook.connectors import connection, routeros
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros import rsc
from runbook.connectors.routeros.config import Validation

FOLDER = Path("templates")
OWN = "own"
PUSH = "mikrotik/Push.md"


def main() -> None:
    template = templates.read(text_of(given.text("TEMPLATE")))
    values = templates.values(template, given.pairs("VARIABLES"))
    with routeros.connect("ROUTER") as router:
        device = connection.read("ROUTER")
        target = target_of(device, router.version.major, router.version.minor, router.board)
        script = templates.render(template, values, target, os.environ.get("SECRET", ""))
        preview(template, script)
        if given.flag("PREVIEW"):
            check(router.validate(script))
            print("The router accepts the script. Nothing was pushed.")
            return
    if runbook.dry_run():
        lines = len(script.splitlines())
        runbook.plan(f"push {lines} lines to {known.name_of()} by {PUSH}", label="assumed")
    runbook.call(
        PUSH,
        ROUTER=known.name_of(),
        CHANGE=script,
        REVERT_AFTER=given.text("REVERT_AFTER"),
        progress=(10, 100),
    )


def text_of(name: str) -> str:
    """A template that comes with the toolkit, or the one that was uploaded."""
    path = FOLDER / f"{name}.rsc.j2"
    if name == OWN:
        if not given.text("FILE"):
            raise given.invalid("FILE is needed for a template of your own")
        path = Path(given.text("FILE"))
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise given.invalid("The template isn't a text in UTF-8") from None


def target_of(found: ConnectionValues, major: int, minor: int, board: str) -> Target:
    device = found.device or {}
    name = str(device.get("name") or found.name)
    tags = device.get("tags")
    return Target(
        name,
        str(found.values.get("host", "")),
        str(device.get("model") or board),
        f"{major}.{minor}",
        major,
        minor,
        str(device.get("site") or ""),
        str(device.get("role") or ""),
        tuple(map(str, tags)) if isinstance(tags, list) else (),
    )


def preview(template: Template, script: str) -> None:
    """Show the script, and keep it unless it has a secret: files of a run aren't masked."""
    print(script)
    parsed = rsc.parse(script)
    counts = [(it.path, it.add, it.set, it.remove, it.other) for it in parsed.sections]
    showing.table(("menu", "add", "set", "remove", "other"), counts, title="The script")
    if not template.uses_secret:
        showing.keep("script.rsc", script)
    runbook.output("LINES", len(script.splitlines()))
    runbook.output("MENUS", [it.path for it in parsed.sections])


def check(validation: Validation) -> None:
    """Raises `invalid` with what is wrong with the script."""
    if not validation.ok:
        said = "; ".join(
            f"line {it.line}: {it.message}" if it.line else it.message for it in validation.findings
        )
        raise ConnectorError(said, ErrorCode.INVALID, nothing_changed=True)
