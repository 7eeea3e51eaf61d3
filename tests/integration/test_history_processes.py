"""Many processes append to one runbook, and some of them are killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from patience import PATIENCE_S
from runbook.core.history.chain import iter_entries
from runbook.core.history.entry import EntryRecord, sha256
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.library import rotation
from runbook.library.history import HistoryWriter, verify_file
from runbook.library.rotation import archive_path, journal_path

HEAD = b"# Job\n\n# History\n"
PROCESSES = 8
APPENDS = 200


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """A process that runs a function of this file."""
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )


def record(run_id: str, size: int = 200) -> EntryRecord:
    return EntryRecord(
        run_id=run_id,
        status=RunStatus.SUCCEEDED,
        return_code=0,
        at=1769178782123,
        who="ada",
        origin=Origin.API,
        document=sha256(HEAD),
        stdout="x" * size,
    )


def append_many(path: str, name: str, max_entries: str) -> None:
    writer = HistoryWriter(int(max_entries), 65536)
    for number in range(APPENDS):
        writer.append(Path(path), record(f"{name}-{number}", size=(number % 10) * 300))


def append_and_die(path: str, step: str) -> None:
    """Killed at that step of a rotation."""
    steps = iter(range(1, 1000))

    def reached(_: str) -> None:
        if next(steps) == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    rotation.reached = reached
    rotation.COPY_BYTES = 1500
    HistoryWriter(10, 65536).append(Path(path), record("killed"))


def run_ids(path: Path) -> list[str]:
    older = archive_path(path)
    history = path.read_bytes().removeprefix(HEAD)
    history = (older.read_bytes() if older.exists() else b"") + history
    return [entry.run_id for entry in iter_entries(history)]


@pytest.mark.parametrize("max_entries", [10_000, 100])
def test_processes_lose_no_entry(tmp_path, max_entries):
    path = tmp_path / "Job.md"
    path.write_bytes(HEAD)
    inode = path.stat().st_ino

    processes = [start("append_many", path, name, max_entries) for name in range(PROCESSES)]

    assert [process.wait(3 * PATIENCE_S) for process in processes] == [0] * PROCESSES
    found = verify_file(path)
    assert (found.entries, found.problems) == (PROCESSES * APPENDS, ())
    expected = {f"{name}-{number}" for name in range(PROCESSES) for number in range(APPENDS)}
    assert set(run_ids(path)) == expected
    assert path.read_bytes().startswith(HEAD)
    assert path.stat().st_ino == inode
    assert path.read_bytes().count(b"<!-- runbook-entry ") <= max_entries


@pytest.mark.parametrize("step", [1, 3, 5, 6, 7, 8, 9, 11, 13])
def test_a_process_killed_while_it_moves_entries_loses_none(tmp_path, step):
    path = tmp_path / "Job.md"
    path.write_bytes(HEAD)
    writer = HistoryWriter(10, 65536)
    for number in range(10):
        writer.append(path, record(f"run-{number}", size=300))

    assert start("append_and_die", path, step).wait(PATIENCE_S) == -signal.SIGKILL
    last = writer.append(path, record("after"))

    assert path.read_bytes().startswith(HEAD)
    assert run_ids(path) == [*(f"run-{number}" for number in range(10)), "killed", "after"]
    assert verify_file(path, (last.n, last.digest)).ok
    assert not journal_path(path).exists()


if __name__ == "__main__":
    {"append_many": append_many, "append_and_die": append_and_die}[sys.argv[1]](*sys.argv[2:])
