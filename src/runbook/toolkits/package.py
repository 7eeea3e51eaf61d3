"""Makes the archive of a toolkit: the same files always give the same bytes."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from runbook.core.syntax.markdown import read_head
from runbook.errors import ToolkitRefusedError
from runbook.toolkits.archive import unpack
from runbook.toolkits.folder import Toolkit, files_in, read_toolkit, runbooks_in

_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that the format allows."""
_MODE = 0o100644 << 16
_UNIX = 3


def pack(folder: Path) -> bytes:
    """The archive of a toolkit, without the histories in its runbooks.

    Raises ToolkitRefusedError if it couldn't be installed, and OSError.
    """
    toolkit = read_toolkit(folder)
    _check_name(toolkit)
    runbooks = frozenset(runbooks_in(folder))
    buffer = io.BytesIO()
    # Not compressed: versions of zlib differ in what they write.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in files_in(folder):
            content = path.read_bytes()
            name = f"{toolkit.manifest.slug}/{path.relative_to(folder).as_posix()}"
            archive.writestr(_info(name), _head(content) if path in runbooks else content)
    _check_unpacks(buffer, toolkit)
    return buffer.getvalue()


def _check_name(toolkit: Toolkit) -> None:
    """Its tests and the refs in its runbooks depend on the folder's name."""
    slug, name = toolkit.manifest.slug, toolkit.folder.resolve().name
    if name != slug:
        raise ToolkitRefusedError(
            f"The folder {name} must have the name of the toolkit's slug: rename it to {slug}",
            reason="folder_name",
        )


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.create_system = _UNIX
    info.external_attr = _MODE
    return info


def _head(content: bytes) -> bytes:
    """A runbook up to its History heading."""
    head = read_head(content)
    return content if head.history_bytes is None else content[: head.history_bytes]


def _check_unpacks(archive: io.BytesIO, toolkit: Toolkit) -> None:
    """A folder may have names that an archive must not, such as two that differ in case only."""
    with tempfile.TemporaryDirectory() as name:
        unpack(archive, Path(name))
        if read_toolkit(Path(name)).digest != toolkit.digest:
            text = "The toolkit's files changed while they were packed. Try again"
            raise ToolkitRefusedError(text, reason="changed")
