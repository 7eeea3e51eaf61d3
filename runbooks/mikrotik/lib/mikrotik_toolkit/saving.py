"""Configurations of routers as the store of backups keeps them.

from mikrotik_toolkit import saving

seen = saving.look(router)               # reads the configuration
seen.export                              # normalized, without secrets
name = saving.device_name("ROUTER")      # under which it is kept
saving.save(router, seen, Origin.SEEN, device=name, step="Back up")  # a commit, if it has changed
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import runbook
from mikrotik_toolkit import current, guarding
from runbook.connectors import backups, connection
from runbook.connectors.backups import BackupStore, Origin, Saved, Snapshot, Source
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros import rsc
from runbook.connectors.routeros.config import persistent
from runbook.connectors.routeros.router import Router

RESTORED = "runbook-restore-"
_SCHEDULER = "/system scheduler"
_REVERT = re.compile(r'add (?:[\w.-]+=(?:"(?:[^"\\]|\\.)*"|[^\s"]*) )*?name="?runbook-revert-')


@dataclass(frozen=True)
class Seen:
    """A configuration. Only `fingerprint` tells whether a secret has changed."""

    export: str
    fingerprint: str
    facts: Mapping[str, str] = field(default_factory=dict)

    def same_as(self, fingerprint: str) -> bool:
        return self.fingerprint == fingerprint


def device_name(input_name: str) -> str:
    """The name of the device of an input with `type: device`."""
    found = connection.read(input_name)
    return str((found.device or {}).get("name") or found.name)


def report(input_name: str, router: Router, **fields: object) -> None:
    """Tell the inventory of a device, if it is there: without a database, it may not be."""
    found = connection.read(input_name).device
    if found and found.get("stored"):
        known = {"vendor": "MikroTik", "model": router.board, "version": str(router.version)}
        runbook.device(str(found["name"]), **known, last_seen="now", **fields)


def look(router: Router, store: BackupStore | None = None) -> Seen:
    """Read the configuration. Reverts of this engine are left out: they come and go."""
    known = store or backups.open_store()
    whole = without_reverts(rsc.normalized(_with_secrets(router)))
    export = without_reverts(rsc.normalized(router.export()))
    facts = {
        "version": str(router.version),
        "model": router.board,
        "identity": router.print("/system/identity")[0].get("name", ""),
    }
    return Seen(export, fingerprint(known, whole), facts)


def fingerprint(store: BackupStore, export: str) -> str:
    """Without remarks, which name the hardware: another router can prove a backup."""
    return store.fingerprint("\n".join(commands_of(export)))


def commands_of(export: str) -> list[str]:
    return [line for line in export.split("\n") if not line.startswith("#")]


def _with_secrets(router: Router) -> str:
    try:
        return router.export(show_sensitive=True)
    except ConnectorError as error:
        if error.code is not ErrorCode.REFUSED:
            raise
        return router.export()  # the user may not see secrets


def without_reverts(export: str) -> str:
    """The export without the reverts that this engine armed, and their menu if it is empty then."""
    commands, kept, menu = _commands(export), list[list[str]](), ""
    for one in commands:
        text = _joined(one)
        menu = text if text.startswith("/") else menu
        # What only looks like a revert is part of the configuration.
        if menu != _SCHEDULER or not _REVERT.match(text):
            kept.append(one)
    if len(kept) == len(commands):
        return export
    following = [*(one[0] for one in kept[1:]), "/"]
    return "\n".join(
        line
        for one, after in zip(kept, following, strict=True)
        if one != [_SCHEDULER] or not (after.startswith("/") or not after)
        for line in one
    )


def _commands(export: str) -> list[list[str]]:
    """The lines of each command: a backslash at the end of a line continues it."""
    found: list[list[str]] = [[]]
    for line in export.split("\n"):
        found[-1].append(line)
        if not line.endswith("\\"):
            found.append([])
    return [one for one in found if one]


def _joined(lines: list[str]) -> str:
    return "".join([lines[0].rstrip("\\"), *(it.lstrip().rstrip("\\") for it in lines[1:])])


def save(
    router: Router,
    seen: Seen,
    origin: Origin,
    *,
    device: str,
    step: str,
    source: Source | None = None,
    store: BackupStore | None = None,
) -> Saved:
    """Commit it with a binary backup, if it isn't what is stored; say so to the inventory."""
    known = store or backups.open_store()
    facts = dict(seen.facts)
    taken = Snapshot(device, seen.export, facts, seen.fingerprint)
    whose = source or backups.source_of_run(step)
    saved = known.save(taken, origin, whose, binary=partial(_guarded_backup, router, facts))
    report(current.input_name(), router, last_backup="now")
    return saved


def _guarded_backup(router: Router, facts: dict[str, str]) -> bytes:
    """A backup with the guard, if possible; `facts` then says so."""
    with guarding.planted(router) as is_planted:
        if is_planted:
            facts[guarding.GUARD] = str(guarding.AFTER_S)
        return binary_backup(router)


def binary_backup(router: Router) -> bytes:
    """What `/system backup` saves, fetched and removed. It goes no further than to the store."""
    name = f"runbook-{secrets.token_hex(6)}"
    file = router.backup(name)
    try:
        content = router.get(file)
    finally:
        router.remove_file(file)
    if not content:
        raise ConnectorError(f"{router.address}: the backup is empty", ErrorCode.TRUNCATED)
    return content


def put_backup(router: Router, content: bytes) -> str:
    """Upload a binary backup. Returns the name of the file."""
    file = persistent(router, f"{RESTORED}{secrets.token_hex(6)}.backup")
    router.put(file, content)
    return file
