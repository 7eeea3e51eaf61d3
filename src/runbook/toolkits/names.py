"""Which names a toolkit that is installed may have, beyond those that refs can have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from runbook.core.syntax.bidi import without_turns
from runbook.errors import ToolkitRefusedError
from runbook.library.refs import shown
from runbook.library.rotation import archive_path

SKIPPED = frozenset({"__pycache__", "node_modules"})
"""Folders of generated files, which don't belong to a toolkit and aren't in its digest."""
_COMPILED = (".pyc", ".pyo")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
"""What Windows takes for a device, whatever the suffix."""


def is_history(name: str) -> bool:
    """Whether it's the archive of a history, which isn't in the digest either."""
    return name == archive_path(Path(name)).name


def check_name(parts: Sequence[str]) -> None:
    """Refuse compiled code, files outside the digest, and misleading names.

    Raises ToolkitRefusedError.
    """
    name = shown(without_turns("/".join(parts)))
    if any(map(_misleads, parts)):
        text = (
            f"Invalid name: {name}. Don't use names that some systems can't store, "
            "or characters that change the text direction"
        )
        raise ToolkitRefusedError(text, reason="bad_name", file=name)
    if any(map(_is_generated, parts)):
        text = (
            f"{name} is a generated file. Use runbook toolkit package: it leaves out "
            "__pycache__, node_modules and histories"
        )
        raise ToolkitRefusedError(text, reason="generated_file", file=name)


def _misleads(name: str) -> bool:
    return name.endswith((".", " ")) or bool(_DEVICE.fullmatch(name)) or name != without_turns(name)


def _is_generated(name: str) -> bool:
    folded = name.lower()
    return folded in SKIPPED or folded.endswith(_COMPILED) or is_history(folded)
