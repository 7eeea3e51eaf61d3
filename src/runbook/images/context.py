"""The build context of an image that holds runbooks: the same files always give the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from runbook.core.syntax.markdown import read_head
from runbook.errors import RequestError
from runbook.library.loading import is_documentation
from runbook.library.refs import SUFFIX, shown, valid_segment
from runbook.quick_dataclass import dataclass

HOME = "runbooks"
"""The folder of the runbooks in the context, and in the image."""
DOCUMENTS = "runbook.documents"
"""The label with the digest of each runbook, as JSON."""
JOB = "runbook.job"
"""The label with the ref that a single-job image executes."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")
_ARCHIVE = ".history"
_SKIPPED = frozenset({"__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file of the image. `ref` is its path below the runbooks directory."""

    ref: str
    content: bytes
    is_executable: bool = False


@dataclass(frozen=True, slots=True)
class Package:
    """What an image is made of. With a `job`, the image executes this runbook by default."""

    files: tuple[PackedFile, ...]
    documents: Mapping[str, str]
    base: str
    job: str | None = None

    def context(self) -> bytes:
        """The build context, a tar archive."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, "Dockerfile", self.dockerfile().encode())
            for file in self.files:
                _add(archive, f"{HOME}/{file.ref}", file.content, executable=file.is_executable)
        return buffer.getvalue()

    def dockerfile(self) -> str:
        return "\n".join((*self._instructions(), ""))

    def _instructions(self) -> Iterator[str]:
        yield f"FROM {self.base}"
        yield f"COPY {HOME}/ /{HOME}/"
        yield "ENV HISTORY=store"
        yield f"LABEL {DOCUMENTS}={_quoted(json.dumps(self.documents, sort_keys=True))}"
        if self.job is not None:
            yield f"LABEL {JOB}={_quoted(self.job)}"
            yield f"ENV JOB_RUNBOOK={_quoted(self.job)}"
            yield "HEALTHCHECK NONE"
            yield f"CMD {json.dumps(['runbook', 'execute', '--runbook', self.job])}"


def read_package(folder: Path, *, base: str, job: str | None = None) -> Package:
    """The package of all files in a folder, runbooks without their histories.

    Raises RequestError for a folder that can't be packaged, and OSError.
    """
    check_image_name(base)
    files, documents = [], {}
    for path in _files(folder, folder):
        content, ref = path.read_bytes(), path.relative_to(folder).as_posix()
        if path.suffix == SUFFIX and not is_documentation(path):
            head = read_head(content)
            documents[ref] = hashlib.sha256(content[: head.head_bytes]).hexdigest()
            content = content if head.history_bytes is None else content[: head.history_bytes]
        files.append(PackedFile(ref, content, is_executable=os.access(path, os.X_OK)))
    if not documents:
        raise RequestError(f"{folder} has no runbooks")
    if job is not None and job not in documents:
        raise RequestError(f"{shown(job)} is not a runbook in {folder}")
    return Package(tuple(files), documents, base, job)


def check_image_name(name: str) -> None:
    """Raises RequestError for what Docker would take for something else than an image's name."""
    if not _NAME.fullmatch(name):
        raise RequestError(f"{shown(name)} is not the name of an image")


def file_name(tag: str) -> str:
    """A name for the context's file: `team/jobs:1` gives `jobs-1.tar`."""
    return f"{tag.rpartition('/')[2].replace(':', '-').replace('@', '-')}.tar"


def _files(folder: Path, top: Path) -> Iterator[Path]:
    """Sorted by ref, without hidden and generated ones and archived histories."""
    found: list[Path] = []
    _collect(folder, top, found)
    return iter(sorted(found, key=lambda path: path.relative_to(top).as_posix()))


def _collect(folder: Path, top: Path, found: list[Path]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _SKIPPED:
                continue
            path = Path(entry.path)
            mode = entry.stat(follow_symlinks=False).st_mode
            if not valid_segment(entry.name) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                name = shown(path.relative_to(top).as_posix())
                text = f"{name} isn't a plain file or folder, or has an invalid name"
                raise RequestError(text)
            if stat.S_ISDIR(mode):
                _collect(path, top, found)
            elif not entry.name.endswith(_ARCHIVE):
                found.append(path)


def _add(archive: tarfile.TarFile, name: str, content: bytes, *, executable: bool = False) -> None:
    """Folders need no entries: Docker makes them."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o755 if executable else 0o644
    archive.addfile(entry, io.BytesIO(content))


_ESCAPED = re.compile(r'[\\"$]')


def _quoted(text: str) -> str:
    """As a value in a Dockerfile, where nothing in it is expanded."""
    return '"' + _ESCAPED.sub(lambda found: f"\\{found[0]}", text) + '"'
