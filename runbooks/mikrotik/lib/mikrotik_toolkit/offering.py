"""Choices for forms: backups of a router, and variables of a template."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mikrotik_toolkit import drifting, given, saving
from mikrotik_toolkit.change import templates, templating
from mikrotik_toolkit.change.templates import Variable
from runbook.connectors import backups
from runbook.connectors.backups import Version

MOST_VERSIONS = 100
WORDS = {
    drifting.RUNNING: "The router's configuration now",
    drifting.LATEST: "The newest backup",
    drifting.PREVIOUS: "The backup before the newest",
    drifting.FILE: "The file below",
}


def versions() -> None:
    """The names of configurations that Diff knows, and the backups of the router."""
    found = backups.open_store().history(saving.device_name("ROUTER"), limit=MOST_VERSIONS)
    offer([*((name, name, text) for name, text in WORDS.items()), *map(_version, found)])


def _version(one: Version) -> tuple[str, str, str]:
    commit = one.commit[:10]
    by = f" by {one.source.requested_by}" if one.source.requested_by else ""
    return commit, f"{one.at:%Y-%m-%d %H:%M} UTC, {commit}", f"{one.subject}{by}"


def variables() -> None:
    """Those of a template that comes with the toolkit."""
    name = given.text("TEMPLATE")
    known = () if name == templating.OWN else templates.read(templating.text_of(name)).variables
    offer(map(_variable, known))


def _variable(one: Variable) -> tuple[str, str, str]:
    default = f", {one.default} by default" if one.default else ""
    choices = f": {', '.join(one.choices)}" if one.choices else ""
    return one.name, f"{one.name} ({one.type}{choices}{default})", one.description


def offer(choices: Iterable[tuple[str, str, str]]) -> None:
    """Of value, label and description."""
    names = ("value", "label", "description")
    print(json.dumps([dict(zip(names, one, strict=True)) for one in choices], ensure_ascii=False))
