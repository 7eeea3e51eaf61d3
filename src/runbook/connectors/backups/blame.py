"""Who is responsible for each line of a device's configuration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runbook.connectors.backups.sealing import DamagedError
from runbook.connectors.backups.store import EXPORT, BackupStore, Version

_HEADER = re.compile(r"([0-9a-f]{40}) \d+ (\d+)(?: \d+)?")
MANY = 100_000


@dataclass(frozen=True, slots=True)
class BlamedLine:
    """A line of the configuration, counted from 1, and the version that brought it."""

    number: int
    text: str
    version: Version


def blame(store: BackupStore, device: str, commit: str | None = None) -> list[BlamedLine]:
    """All lines of a version, the latest by default. Raises DamagedError if there is none."""
    versions = {one.commit: one for one in store.history(device, limit=MANY)}
    at = commit or store.latest(device)
    if at is None:
        raise DamagedError(f"{device} has no backup")
    found: list[BlamedLine] = []
    current, number = "", 0
    said = store.git.text("blame", "--porcelain", at, "--", f"{device}/{EXPORT}")
    for line in said.split("\n"):
        header = _HEADER.fullmatch(line)
        if line.startswith("\t"):
            found.append(BlamedLine(number, line[1:], versions[current]))
        elif header:
            current, number = header[1], int(header[2])
    return found
