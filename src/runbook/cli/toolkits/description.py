"""Toolkits as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runbook.cli.terminal.render import fields, moment, table, text_of

if TYPE_CHECKING:
    from runbook.resources.runbook import ListedRunbookJson
    from runbook.resources.toolkit import ToolkitDetailsJson, ToolkitJson


def state(it: ToolkitJson) -> str:
    """In a few words."""
    words = ["enabled" if it["enabled"] else "disabled"]
    if it["version"] is None:
        words = [f"not installed (bundled {it['bundled_version']})"]
    words += ["modified"] if it["modified"] else []
    words += [f"update: {it['update']['version']}"] if it["update"] else []
    missing = [what for what, _ in _missing(it)]
    words += [f"missing: {', '.join(missing)}"] if missing else []
    return ", ".join(words)


def described(it: ToolkitDetailsJson) -> Iterator[str]:
    """In lines: what it is, what it needs and how to get that, its runbooks, its README."""
    yield from fields(
        (name, text_of(value))
        for name, value in (
            ("Toolkit", it["slug"]),
            ("Name", it["name"]),
            ("Description", it["description"]),
            ("Version", it["version"] or it["bundled_version"]),
            ("State", state(it)),
            ("Origin", it["origin"] or "bundled"),
            ("Earlier version", it["previous_version"]),
        )
        if value
    )
    for what, advice in _missing(it):
        yield f"Missing {what}: {advice}"
    if it["runbooks"]:
        yield ""
        yield from table(("RUNBOOK", "NAME", "LAST RUN"), map(_row, it["runbooks"]))
    if it["readme"]:
        yield ""
        yield from it["readme"].splitlines()


def _missing(it: ToolkitJson) -> Iterator[tuple[str, str]]:
    """What is missing, and what to do about it."""
    missing = it["missing"]
    for extra in missing["extras"]:
        yield f"extra {extra}", f"pip install 'runbook-engine[{extra}]'"
    for command in missing["commands"]:
        yield f"command {command}", "install the program on the server"
    for kind in missing["connections"]:
        yield f"connection {kind}", f"runbook connections add NAME --kind {kind}"


def _row(it: ListedRunbookJson) -> tuple[str, str, str]:
    last = it["last_run"]
    shown = f"{last['status']} {moment(last['finished_at'])}" if last else "-"
    return it["path"], text_of(it["name"]), shown
