"""Reads toolkit archives (.zip) strictly: whatever could surprise refuses the whole archive.

Format: PKWARE APPNOTE 6.3, without encryption, multiple volumes or other compression than deflate.
Python's zipfile renames and strips hostile names silently; here, they are read as written.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from runbook.core.manifest import MANIFEST
from runbook.errors import ToolkitRefusedError
from runbook.library.refs import REF_LIMIT, shown, valid_segment
from runbook.quick_dataclass import dataclass
from runbook.toolkits.names import check_name

MOST_ENTRIES = 10_000
MOST_BYTES = 256 * 1024 * 1024
"""Unpacked, of all files together."""
MOST_RATIO = 100
"""By how much a file may be larger than its compressed form."""
RATIO_FROM = 1024 * 1024
"""The ratio of smaller files doesn't matter."""
MOST_DEPTH = 16

_IGNORED = "__MACOSX"
_CHUNK = 64 * 1024
_SCANNED = 1024 * 1024
_DIRECTORY_ENTRY = b"PK\x01\x02"
_UNIX_FIELD = 0x000D
_UNIX_FIELD_BYTES = 12
"""Without the name of the file that it is linked to."""
_DRIVE = re.compile("[A-Za-z]:")
_ENCRYPTED = 0x1
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER = 30
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,  # names that aren't the UTF-8 they claim, offsets before the start
)
_UNIX = 3


@dataclass(frozen=True, slots=True)
class _Entry:
    info: zipfile.ZipInfo
    parts: tuple[str, ...]
    is_folder: bool


def unpack(archive: IO[bytes], target: Path) -> None:
    """Unpack a toolkit into the existing empty folder `target`.

    The manifest is at the top, or in the only folder there, which is left out. Raises
    ToolkitRefusedError; the target may then have some of the files.
    """
    _check_count(archive)
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened.infolist())
            top = _top(entries)
            _write(opened, [entry for entry in entries if len(entry.parts) > top], target, top)
    except _UNREADABLE as error:
        raise _refused("not_a_zip", f"The archive can't be read: {shown(str(error))}") from None


def _refused(reason: str, text: str, name: str = "") -> ToolkitRefusedError:
    return ToolkitRefusedError(text, reason=reason, **({"file": shown(name)} if name else {}))


# -- names and kinds ---------------------------------------------------------------------------


def _check_count(archive: IO[bytes]) -> None:
    """Refuse a directory so long that only reading it would take all memory."""
    found, tail = 0, b""
    archive.seek(0)
    while chunk := archive.read(_SCANNED):
        found += (tail + chunk).count(_DIRECTORY_ENTRY)
        tail = chunk[1 - len(_DIRECTORY_ENTRY) :]
    if found > MOST_ENTRIES:
        raise _refused("too_many_files", f"The archive has more than {MOST_ENTRIES} entries")


def _checked(infos: Sequence[zipfile.ZipInfo]) -> list[_Entry]:
    """The entries, none of which could be written outside the target or hide another."""
    _check_overlaps(infos)
    entries = [_entry(info) for info in infos]
    _check_collisions(entries)
    return [entry for entry in entries if entry.parts[0] != _IGNORED]


def _entry(info: zipfile.ZipInfo) -> _Entry:
    name = info.orig_filename
    if info.flag_bits & _ENCRYPTED:
        raise _refused("encrypted", f"{shown(name)} is encrypted", name)
    if info.compress_type not in _PLAIN:
        raise _refused("compression", f"{shown(name)} isn't compressed by deflate", name)
    is_folder = name.endswith("/")
    parts = tuple(name.removesuffix("/").split("/"))
    is_valid = all(valid_segment(part) for part in parts) and not _DRIVE.match(name)
    if not is_valid or len(parts) > MOST_DEPTH or len(name.encode()) > REF_LIMIT:
        text = (
            f"Invalid name in the archive: {shown(name)}. Use relative paths without .., "
            "backslashes, control characters and hidden files"
        )
        raise _refused("bad_name", text, name)
    if parts[0] != _IGNORED:
        check_name(parts)
    _check_kind(info, name, is_folder=is_folder)
    return _Entry(info, parts, is_folder)


def _check_kind(info: zipfile.ZipInfo, name: str, *, is_folder: bool) -> None:
    """Only plain files and folders, without set-user-ID bits."""
    mode = info.external_attr >> 16 if info.create_system == _UNIX else 0
    kind, special = stat.S_IFMT(mode), mode & (stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX)
    expected = stat.S_IFDIR if is_folder else stat.S_IFREG
    if kind not in (0, expected) or (special and not is_folder) or _is_linked(info.extra):
        text = f"{shown(name)} isn't a plain file or folder, but a link or something special"
        raise _refused("special_file", text, name)


def _is_linked(extra: bytes) -> bool:
    """Whether it is another file's hard link (APPNOTE 4.5.7), which only some programs make."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _UNIX_FIELD and size > _UNIX_FIELD_BYTES:
            return True
        extra = extra[4 + size :]
    return False


def _check_collisions(entries: Sequence[_Entry]) -> None:
    """Refuse names that are the same on some file system, and files in the place of folders."""
    files: dict[tuple[str, ...], str] = {}
    folders: dict[tuple[str, ...], tuple[str, ...]] = {}
    for entry in entries:
        name = "/".join(entry.parts)
        for depth in range(1, len(entry.parts) + entry.is_folder):
            path = entry.parts[:depth]
            if folders.setdefault(_folded(path), path) != path:
                raise _refused(
                    "duplicate", f"Two names in the archive collide: {shown(name)}", name
                )
        if entry.is_folder:
            continue
        if _folded(entry.parts) in files:
            raise _refused("duplicate", f"Two names in the archive collide: {shown(name)}", name)
        files[_folded(entry.parts)] = name
    for path in files.keys() & folders.keys():
        name = files[path]
        raise _refused("duplicate", f"{shown(name)} is both a file and a folder", name)


def _folded(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold())
        for part in parts
    )


def _check_overlaps(infos: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse entries that share bytes: a small archive could unpack to any size."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            name = info.orig_filename
            raise _refused("overlap", f"{shown(name)} overlaps another entry", name)
        end = info.header_offset + _LOCAL_HEADER + info.compress_size


def _top(entries: Sequence[_Entry]) -> int:
    """How many folders stand above the toolkit's: none or one."""
    if any(entry.parts == (MANIFEST,) for entry in entries):
        return 0
    tops = {entry.parts[0] for entry in entries}
    if len(tops) == 1 and any(entry.parts[1:] == (MANIFEST,) for entry in entries):
        return 1
    text = f"The archive has no {MANIFEST}, neither at its top nor in its only folder"
    raise _refused("no_manifest", text)


# -- contents ----------------------------------------------------------------------------------


def _write(archive: zipfile.ZipFile, entries: Sequence[_Entry], target: Path, top: int) -> None:
    room = MOST_BYTES
    for entry in entries:
        path = target.joinpath(*entry.parts[top:])
        if entry.is_folder:
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
            for data in _content(archive, entry.info):
                room -= len(data)
                if room < 0:
                    limit = f"{MOST_BYTES // 1024 // 1024} MiB"
                    raise _refused("too_large", f"The archive unpacks to more than {limit}")
                file.write(data)


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The file's bytes as they are unpacked, whatever size the archive claims."""
    size = 0
    with archive.open(info) as file:
        while data := file.read(_CHUNK):
            size += len(data)
            if size > max(RATIO_FROM, MOST_RATIO * info.compress_size):
                name = info.orig_filename
                text = f"{shown(name)} is compressed more than {MOST_RATIO} times"
                raise _refused("bomb", text, name)
            yield data
    if size != info.file_size:
        name = info.orig_filename
        raise _refused("bad_size", f"{shown(name)} doesn't have the size it claims", name)
