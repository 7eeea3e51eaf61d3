"""The files in the runbooks directory that may be runbooks."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runbook.library.loading import Identity
from runbook.library.refs import REF_LIMIT, SUFFIX, is_below, valid_segment
from runbook.quick_dataclass import dataclass

FOLDERS_LIMIT = 10_000
"""Limit on folders: links between folders could multiply them endlessly."""
_DEPTH_LIMIT = 32


@dataclass(frozen=True, slots=True)
class _Folder:
    """`real` is the resolved path; `above` are the resolved folders that lead to it."""

    prefix: str
    path: str
    real: Path
    above: tuple[Path, ...]


class Folders:
    """Walks the directory and remembers its folders, so that changes are cheap to detect."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: list[tuple[str, Identity | None]] = []
        self._files: dict[str, Identity] = {}
        self._settled = False

    def changed(self) -> bool:
        """Whether a name was added, removed or replaced in any folder since the walk."""
        return any(_identity(path) != identity for path, identity in self._seen)

    def problem(self) -> str:
        """Why the directory can't be listed; empty if it can."""
        try:
            os.scandir(str(self._root)).close()
        except OSError as error:
            return error.strerror or type(error).__name__
        return ""

    def files(self, now_ns: int) -> dict[str, Identity]:
        """Each name in the directory with its file's state, links followed. Never raises."""
        if self._settled and not self.changed():
            self._files = self._again()
        else:
            self._files = self._walk()
            states = [identity for _, identity in self._seen if identity is not None]
            self._settled = all(identity.is_settled(now_ns) for identity in states)
        return self._files

    def _again(self) -> dict[str, Identity]:
        """The same files with their current state: most changes are inside files."""
        states = ((ref, _identity(f"{self._root}/{ref}")) for ref in self._files)
        return {ref: identity for ref, identity in states if identity is not None}

    def _walk(self) -> dict[str, Identity]:
        """The files in all folders.

        Hidden names, special files and unreadable files are skipped, and so are folders that a link
        takes outside the root or back to a parent folder.
        """
        self._seen = []
        found: dict[str, Identity] = {}
        real = Path(os.path.realpath(self._root))
        waiting = [_Folder("", str(self._root), real, ())]
        while waiting and len(self._seen) < FOLDERS_LIMIT:
            folder = waiting.pop()
            self._seen.append((folder.path, _identity(folder.path)))
            for entry, facts in _entries(folder.path):
                ref = folder.prefix + entry.name
                if stat.S_ISREG(facts.st_mode):
                    if ref.endswith(SUFFIX) and len(ref.encode()) <= REF_LIMIT:
                        found[ref] = Identity.of(facts)
                elif stat.S_ISDIR(facts.st_mode) and (below := _below(folder, entry, real)):
                    waiting.append(below)
        return found


def _identity(path: str) -> Identity | None:
    try:
        return Identity.of(os.stat(path))  # noqa: PTH116 - hot path of listings
    except OSError:
        return None


def _entries(path: str) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                if valid_segment(entry.name) and (facts := _facts(entry)) is not None:
                    yield entry, facts
    except OSError:  # unreadable or gone
        return


def _facts(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:  # broken link, or gone
        return None


def _below(folder: _Folder, entry: os.DirEntry[str], root: Path) -> _Folder | None:
    real = folder.real / entry.name
    if entry.is_symlink():
        real = Path(os.path.realpath(entry.path))
    above = (*folder.above, folder.real)
    if not is_below(real, root) or real in above or len(above) > _DEPTH_LIMIT:
        return None
    return _Folder(f"{folder.prefix}{entry.name}/", entry.path, real, above)
