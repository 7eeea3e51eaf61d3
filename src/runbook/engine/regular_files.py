"""The regular files below a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def regular_files(folder: Path, *, deepest: int | None = None) -> Iterator[Path]:
    """Regular files, by name, down to that many folders below. Follows no link below the folder."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        if deepest is not None and len(Path(place).relative_to(folder).parts) >= deepest:
            folders.clear()
        for name in sorted(names):
            path = Path(place) / name
            with suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode):
                    yield path
