"""Compares configurations of a router: the running one, saved ones, and files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import runbook
from mikrotik_toolkit import comparing, given, known, saving, showing
from mikrotik_toolkit.comparing import Difference
from runbook.connectors import backups, routeros
from runbook.connectors.backups import BackupStore
from runbook.connectors.errors import ConnectorError, ErrorCode

RUNNING, LATEST, PREVIOUS, FILE = "running", "latest", "previous", "file"
DRIFTED = 3
"""Exit code of Drift if the running configuration isn't the saved one."""
MOST_SHOWN = 500
"""Lines of a diff in the run's output; the file has all."""


@dataclass(frozen=True, slots=True)
class Side:
    """A configuration to compare. `fingerprint` also tells whether a secret has changed."""

    name: str
    export: str
    fingerprint: str = ""


def diff() -> None:
    """The inputs say what is compared."""
    store, device = backups.open_store(), saving.device_name("ROUTER")
    before = side(store, device, given.text("BEFORE", LATEST))
    after = side(store, device, given.text("AFTER", RUNNING))
    found = comparing.difference(before.export, after.export, (before.name, after.name))
    show(found, before, after)


def drift() -> None:
    """Whether the running configuration is the saved one; exits with DRIFTED if it isn't."""
    store, device = backups.open_store(), saving.device_name("ROUTER")
    saved, running = side(store, device, LATEST), side(store, device, RUNNING)
    found = comparing.difference(saved.export, running.export, (saved.name, running.name))
    secret = not found and bool(saved.fingerprint) and saved.fingerprint != running.fingerprint
    drifted = bool(found) or secret
    known.report({"drift": drifted}, last_seen="now")
    runbook.output("DRIFTED", drifted)
    runbook.output("SECRET_CHANGED", secret)
    show(found, saved, running)
    if secret:
        print("A secret has changed, such as a password: exports don't show it.")
    if drifted:
        sys.exit(DRIFTED)


def side(store: BackupStore, device: str, which: str) -> Side:
    """Raises DamagedError and ConnectorError."""
    if which == RUNNING:
        with routeros.connect("ROUTER") as router:
            seen = saving.look(router, store)
        return Side(f"{device} running", seen.export, seen.fingerprint)
    if which == FILE:
        return Side("file", file_of(given.text("FILE")))
    commit = commit_of(store, device, which)
    export, facts = store.export(device, commit), store.facts(device, commit)
    return Side(f"{device} {commit[:10]}", export, facts.get("fingerprint", ""))


def commit_of(store: BackupStore, device: str, which: str) -> str:
    """Raises `not_found`, or DamagedError for a commit that isn't there."""
    history = store.history(device, limit=2)
    if not history:
        raise missing(f"{device} has no backup yet. Execute Backup first")
    if which not in (LATEST, PREVIOUS):
        return store.version(device, which).commit
    number = 0 if which == LATEST else 1
    if number >= len(history):
        raise missing(f"{device} has only one backup, so there is no previous one")
    return history[number].commit


def missing(text: str) -> ConnectorError:
    return ConnectorError(text, ErrorCode.NOT_FOUND, nothing_changed=True)


def file_of(path: str) -> str:
    if not path:
        raise given.invalid("FILE is needed to compare with a file")
    try:
        return Path(path).read_text("utf-8")
    except UnicodeDecodeError:
        raise given.invalid("FILE isn't a text in UTF-8: is it a binary backup?") from None


def show(found: Difference, before: Side, after: Side) -> None:
    runbook.output("SAME", not found)
    runbook.output("ADDED", found.added)
    runbook.output("REMOVED", found.removed)
    runbook.output("MENUS", [comparing.as_json(one) for one in found.menus])
    if not found:
        print(f"No differences between {before.name} and {after.name}")
        runbook.summary("No differences.")
        return
    showing.keep("changes.diff", found.unified + "\n")
    print(f"{before.name} -> {after.name}: {found.text}", end="\n\n")
    print("\n".join(comparing.as_lines(found.menus)), end="\n\n")
    lines = found.unified.splitlines()
    print("\n".join(lines[:MOST_SHOWN]))
    if len(lines) > MOST_SHOWN:
        print(f"… {len(lines) - MOST_SHOWN} more lines are in the file changes.diff")
    showing.table(
        ("menu", "added", "removed", "changed", "moved"),
        [(*comparing.as_json(one).values(),) for one in found.menus],
        title=found.text,
    )
