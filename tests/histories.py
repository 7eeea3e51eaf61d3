"""What tests of histories share."""

from dataclasses import replace
from pathlib import Path

from runbook.core.history.chain import iter_entries
from runbook.core.history.entry import EntryRecord, sha256
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.library.history import Appended, HistoryWriter
from runbook.library.rotation import archive_path

HEAD = b"# Job\n\n# Script\n```sh\necho '# History'\n```\n\n# History\n"
LEGACY = b"\n### 2026-01-14T18:34:51.797Z | Exit Code: 0\n\n**Stdout:**\n```\nsuccess\n```\n"
RECORD = EntryRecord(
    run_id="run-1",
    status=RunStatus.SUCCEEDED,
    return_code=0,
    at=1769178782123,
    who="ada",
    origin=Origin.API,
    document=sha256(b"document"),
)


def record(number: int | str, stdout: str = "out\n") -> EntryRecord:
    return replace(RECORD, run_id=f"run-{number}", stdout=stdout)


def append(path: Path, count: int, max_entries: int = 0, first: int = 1) -> Appended:
    for number in range(first, first + count):
        appended = HistoryWriter(max_entries, 65536).append(path, record(number))
    return appended


def whole(path: Path) -> bytes:
    """The history with what is in the archive."""
    older = archive_path(path)
    region = path.read_bytes().partition(b"\n# History\n")[2]
    return (older.read_bytes() if older.exists() else b"") + region


def run_ids(path: Path) -> list[str]:
    return [entry.run_id for entry in iter_entries(whole(path))]
