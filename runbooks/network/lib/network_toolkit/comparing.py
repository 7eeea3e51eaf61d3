"""What differs between the running configuration of a device and a saved one."""

from __future__ import annotations

import difflib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import runbook
from network_toolkit import devices, given
from runbook.connectors import backups
from runbook.connectors.errors import ConnectorError, ErrorCode

LATEST = "latest"
DIFFERENT = 3
"""Exit code if they differ, and the inputs say that this is a failure."""
MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """`secret`: they look the same without their secrets, but one of these differs."""

    unified: str
    added: int = 0
    removed: int = 0
    secret: bool = False

    def __bool__(self) -> bool:
        return bool(self.unified) or self.secret


def main() -> None:
    """Diff."""
    store, name = backups.open_store(), devices.name_of()
    which = given.text("COMMIT", LATEST)
    if store.latest(name) is None:
        text = f"{name} has no backup yet. Execute Backup first"
        raise ConnectorError(text, ErrorCode.NOT_FOUND, nothing_changed=True)
    commit = None if which == LATEST else store.version(name, which).commit
    saved, facts = store.export(name, commit), store.facts(name, commit)
    with devices.opened(devices.vendor_of()) as cli:
        config = cli.config()
    running = cli.vendor.without_secrets(config)
    found = difference(saved, running, (f"{name} {which}", f"{name} running"))
    changed = facts.get("fingerprint") != store.fingerprint(config)
    if not found and changed:
        found = Difference("", secret=True)
    show(found)
    if found and given.flag("FAIL"):
        sys.exit(DIFFERENT)


def difference(before: str, after: str, names: tuple[str, str]) -> Difference:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm=""))
    body = lines[2:]
    added, removed = (sum(line.startswith(sign) for line in body) for sign in "+-")
    return Difference("\n".join(lines), added, removed)


def show(found: Difference) -> None:
    runbook.output("SAME", not found)
    runbook.output("ADDED", found.added)
    runbook.output("REMOVED", found.removed)
    runbook.output("SECRET_CHANGED", found.secret)
    if found.secret:
        print("Only a secret differs, such as a password")
    elif not found:
        print("No differences")
    if not found.unified:
        return
    (Path(os.environ["RUNBOOK_ARTIFACTS"]) / "changes.diff").write_text(found.unified + "\n")
    lines = found.unified.splitlines()
    print(f"+{found.added} -{found.removed} lines", *lines[:MOST_SHOWN], sep="\n")
    if len(lines) > MOST_SHOWN:
        print(f"… {len(lines) - MOST_SHOWN} more lines are in the file changes.diff")
