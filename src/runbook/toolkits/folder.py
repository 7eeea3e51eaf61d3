"""A toolkit's folder: which files belong to it, its manifest, and a digest of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from runbook.core.document import Problem
from runbook.core.manifest import MANIFEST, Manifest, read_manifest
from runbook.core.syntax.markdown import read_head
from runbook.errors import ToolkitRefusedError
from runbook.library.loading import Identity
from runbook.library.refs import SUFFIX, shown, valid_segment
from runbook.quick_dataclass import dataclass
from runbook.toolkits.names import SKIPPED, check_name, is_history

MOST_FILES = 10_000
MANIFEST_BYTES = 64 * 1024
README = "README.md"
README_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Toolkit:
    """A toolkit on disk. The digest covers its files, but not what stands below History."""

    folder: Path
    manifest: Manifest
    digest: str


def read_toolkit(folder: Path) -> Toolkit:
    """Raises ToolkitRefusedError, with all problems of the manifest."""
    return Toolkit(folder, manifest_in(folder), digest_of(folder))


class ToolkitReader:
    """Reads toolkits, and keeps what it read as long as no file has changed. Thread-safe."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[dict[Path, Identity], Toolkit]] = {}

    def read(self, folder: Path) -> Toolkit:
        """Raises as `read_toolkit`."""
        states = {path: Identity.of(path.stat()) for path in files_in(folder)}
        known = self._read.get(folder)
        if known is not None and known[0] == states:
            return known[1]
        found = read_toolkit(folder)
        now_ns = time.time_ns()
        if all(state.is_settled(now_ns) for state in states.values()):
            self._read[folder] = states, found
        return found


def files_in(folder: Path) -> Iterator[Path]:
    """The toolkit's files, sorted, without hidden and generated ones and archived histories.

    Raises ToolkitRefusedError for links, special files and names that no ref could have.
    """
    found = sorted(_walk(folder, folder))
    if len(found) > MOST_FILES:
        raise ToolkitRefusedError(
            f"The toolkit has more than {MOST_FILES} files", reason="too_many_files"
        )
    yield from found


def copy_toolkit(source: Path, target: Path) -> None:
    """Copy a toolkit's files into the empty folder `target`. Raises as files_in, and OSError."""
    for path in files_in(source):
        check_name(path.relative_to(source).parts)
        copied = target / path.relative_to(source)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied, follow_symlinks=False)


def runbooks_in(folder: Path) -> list[Path]:
    """The files that may be runbooks: all Markdown except documentation."""
    return [path for path in files_in(folder) if path.suffix == SUFFIX and not _is_readme(path)]


def readme_in(folder: Path) -> str:
    """The start of its README.md; empty if there is none that can be read."""
    try:
        with (folder / README).open("rb") as file:
            return file.read(README_BYTES).decode(errors="replace")
    except OSError:
        return ""


def digest_of(folder: Path) -> str:
    """SHA-256 over names and contents; of a runbook, only what stands above History."""
    digest = hashlib.sha256()
    for path in files_in(folder):
        content = path.read_bytes()
        if path.suffix == SUFFIX and not _is_readme(path):
            content = content[: read_head(content).head_bytes]
        for part in (os.fsencode(path.relative_to(folder)), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _is_readme(path: Path) -> bool:
    return path.name.lower() == README.lower()


def _walk(folder: Path, top: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in SKIPPED:
                continue
            name = shown(str(Path(entry.path).relative_to(top)))
            mode = entry.stat(follow_symlinks=False).st_mode
            if not valid_segment(entry.name) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                text = f"{name} isn't a plain file or folder, or has an invalid name"
                raise ToolkitRefusedError(text, reason="special_file", file=name)
            if stat.S_ISDIR(mode):
                yield from _walk(Path(entry.path), top)
            elif not is_history(entry.name):
                yield Path(entry.path)


def manifest_in(folder: Path) -> Manifest:
    """Raises as read_toolkit."""
    path = folder / MANIFEST
    try:
        data = path.read_bytes() if path.stat().st_size <= MANIFEST_BYTES else None
    except OSError:
        text = f"{folder.name} has no {MANIFEST}, so it isn't a toolkit"
        raise ToolkitRefusedError(text, reason="no_manifest") from None
    if data is None:
        raise _bad_manifest([Problem("manifest_too_large", f"{MANIFEST} is larger than 64 KiB", 1)])
    try:
        manifest, problems = read_manifest(data.decode())
    except UnicodeDecodeError:
        raise _bad_manifest([Problem("not_utf8", f"{MANIFEST} isn't UTF-8", 1)]) from None
    if manifest is None:
        raise _bad_manifest(problems)
    return manifest


def _bad_manifest(problems: list[Problem] | tuple[Problem, ...]) -> ToolkitRefusedError:
    return ToolkitRefusedError(
        f"{MANIFEST} is invalid", reason="bad_manifest", problems=tuple(problems)
    )
