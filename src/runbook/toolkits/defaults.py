"""Installs and enables bundled toolkits that need nothing, each of them once.

A file remembers them, so that one which a person disabled or removed later stays so.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from runbook.core.access import Principal
from runbook.errors import SourceConflictError
from runbook.toolkits.shelf import Listed
from runbook.toolkits.toolkits import Toolkits


def install_defaults(toolkits: Toolkits, principal: Principal, memory: Path) -> list[str]:
    """Returns the slugs of those that were installed now. Raises as Toolkits, and OSError."""
    known = _remembered(memory)
    made = []
    for listed in toolkits.list(principal):
        slug = listed.manifest.slug
        if listed.bundled is None or slug in known or not _needs_nothing(listed):
            continue
        if listed.installed is None:
            try:
                toolkits.install_bundled(slug, principal)
                toolkits.enable(slug, principal)
            except SourceConflictError:  # a folder of runbooks has the name; it may go later
                continue
            made.append(slug)
        known.add(slug)
        _remember(memory, known)
    return made


def _needs_nothing(listed: Listed) -> bool:
    manifest = listed.manifest
    return not (manifest.extras or manifest.commands or manifest.connections)


def _remembered(memory: Path) -> set[str]:
    try:
        return set(json.loads(memory.read_text()))
    except FileNotFoundError:
        return set()


def _remember(memory: Path, slugs: set[str]) -> None:
    new = memory.with_name(f".{memory.name}-{os.getpid()}")
    new.write_text(json.dumps(sorted(slugs)))
    new.replace(memory)
