import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from histories import HEAD, LEGACY, append, record, run_ids, whole
from runbook.core.history.adoption import AdoptionRecord
from runbook.core.history.chain import (
    Link,
    Recorded,
    iter_entries,
    last_link,
    read_record,
)
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.errors import HistoryError, HistoryReadOnlyError
from runbook.library import history, locking
from runbook.library.history import HistoryWriter, adopt, verify_file
from runbook.library.rotation import archive_path


def writer(max_entries: int = 0, **options: float) -> HistoryWriter:
    return HistoryWriter(max_entries, 65536, **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "Job.md"
    path.write_bytes(HEAD + LEGACY)
    return path


# -- appending ---------------------------------------------------------------------------------


def test_entries_are_appended_below_what_stands_there(path):
    first = writer().append(path, record(1))
    second = writer().append(path, record(2))

    assert path.read_bytes().startswith(HEAD + LEGACY + b"\n### 2026-01-23T14:33:02.123Z | Exit")
    assert (first.n, second.n, second.rotated, second.warning) == (1, 2, 0, None)
    assert last_link(path.read_bytes()) == Link(2, second.digest)
    entry = next(iter_entries(whole(path)))
    assert read_record(whole(path), entry) == record(1)
    assert verify_file(path, (2, second.digest)).ok


@pytest.mark.parametrize(
    "ending",
    [
        b"",
        b"\n",
        b"\n\n",
        b"\ntext",
        b"\n```\nopen fence",
        b"\n<!-- open\n",
        b"\n~~~\nopen\n",
        b"\r\n",
    ],
)
@pytest.mark.parametrize("heading", [b"# History", b"History\n===", b"# History\n\nold"])
def test_whatever_the_file_ends_with_the_chain_is_whole(tmp_path, heading, ending):
    path = tmp_path / "Job.md"
    before = b"# Job\n\n" + heading + ending
    path.write_bytes(before)
    last = append(path, 2)

    assert path.read_bytes().startswith(before)
    found = verify_file(path, (2, last.digest))
    assert (found.entries, found.problems) == (2, ())


def test_a_first_entry_does_not_vanish_in_an_open_fence(path):
    path.write_bytes(HEAD + b"\n**Stdout:**\n```\na fence in the output\n```\n```\n")

    writer().append(path, record(1))

    assert b"```\n```\n```\n\n### " in path.read_bytes()


def test_text_below_the_last_entry_is_kept_and_reported_and_the_chain_goes_on(path):
    append(path, 2)
    with path.open("ab") as file:
        file.write(b"a note without a line break")

    last = writer().append(path, record(3))

    assert last.n == 3
    assert b"a note without a line break\n\n### " in path.read_bytes()
    found = verify_file(path, (3, last.digest))
    assert [problem.message for problem in found.problems] == ["Unexpected text after entry 2."]


def test_output_beyond_the_entrys_limit_is_shortened(path):
    HistoryWriter(0, 1000).append(path, record(1, stdout="x" * 5000))

    assert b"[... 4000 bytes of output omitted: HISTORY_ENTRY_BYTES is 1000 ...]" in whole(path)


def test_an_entry_is_written_once_per_run_where_asked(path):
    append(path, 3, max_entries=2)

    again = writer().append(path, record(1), once=True)
    new = writer().append(path, record(9), once=True)

    assert again.existing == Recorded(RunStatus.SUCCEEDED, 0)
    assert (again.n, new.n, new.existing) == (3, 4, None)
    assert run_ids(path) == ["run-1", "run-2", "run-3", "run-9"]
    assert writer().find_run(path, "run-1") == Recorded(RunStatus.SUCCEEDED, 0)
    assert writer().find_run(path, "run-8") is None


def test_threads_lose_no_entry(path):
    threads = [
        threading.Thread(target=append, args=(path, 10), kwargs={"first": 100 * number})
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = verify_file(path)
    assert (found.ok, found.entries) == (True, 40)


def test_threads_of_one_writer_do_not_poll_for_the_lock(path, monkeypatch):
    monkeypatch.setattr(locking.time, "sleep", None)
    shared = writer()

    def work(number):
        for count in range(10):
            shared.append(path, record(f"{number}-{count}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert verify_file(path).entries == 40


# -- what may go wrong -------------------------------------------------------------------------


def test_without_a_history_section_nothing_is_written(path):
    path.write_bytes(b"# Job\n")

    with pytest.raises(HistoryError, match="no History section"):
        writer().append(path, record(1))

    assert path.read_bytes() == b"# Job\n"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_read_only_file_system_is_told_apart(path, monkeypatch, number):
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(locking.os, "open", refuse)

    with pytest.raises(HistoryReadOnlyError):
        writer().append(path, record(1))


def test_a_file_without_write_permission_is_read_only_also_for_root(path):
    append(path, 1)
    path.chmod(0o444)

    with pytest.raises(HistoryReadOnlyError):
        writer().append(path, record(2))

    assert verify_file(path).entries == 1


def test_a_missing_file_and_a_pipe_are_errors_and_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "Pipe.md")

    with pytest.raises(HistoryError, match="No such file"):
        writer().append(tmp_path / "Gone.md", record(1))
    with pytest.raises(HistoryError, match="not a regular file"):
        writer().append(tmp_path / "Pipe.md", record(1))


def test_a_full_disk_leaves_the_file_as_it_was(path, monkeypatch):
    append(path, 1)
    before = path.read_bytes()
    really_write = os.write

    def half_then_full(descriptor: int, data: memoryview) -> int:
        if len(data) < 400:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really_write(descriptor, data[: len(data) - 399])

    monkeypatch.setattr(locking.os, "write", half_then_full)

    with pytest.raises(HistoryError, match="No space left"):
        writer().append(path, record(2, stdout="x" * 2000))
    assert path.read_bytes() == before


def test_a_failing_sync_leaves_the_file_as_it_was(path, monkeypatch):
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(history, "sync_data", fail)

    with pytest.raises(HistoryError, match="Input/output error"):
        writer().append(path, record(1))
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_read_is_an_error_of_the_history(path, monkeypatch):
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(locking.os, "pread", fail)

    for attempt in (lambda: append(path, 1), lambda: verify_file(path)):
        with pytest.raises(HistoryError, match="Input/output error"):
            attempt()


def test_a_short_write_is_continued(path, monkeypatch):
    really_write = os.write
    monkeypatch.setattr(locking.os, "write", lambda fd, data: really_write(fd, data[:100]))

    assert verify_file(path, (2, append(path, 2).digest)).ok


def test_a_lock_that_another_writer_keeps_is_an_error(path):
    with (
        locking.locked(path, seconds=1, write=True),
        pytest.raises(HistoryError, match="is locked"),
    ):
        writer(lock_seconds=0.02).append(path, record(1))

    assert writer().append(path, record(1)).n == 1


@pytest.mark.parametrize("way", ["_lock", "_attempt"])
def test_a_file_that_is_replaced_while_we_wait_is_opened_anew(path, monkeypatch, way):
    if way == "_lock":
        locking.lock_path(path).touch()  # as if others used the runbook, too
    really_lock = getattr(locking, way)
    replaced = path.with_name("replacement")
    replaced.write_bytes(HEAD.replace(b"Job", b"New") + LEGACY)

    def lock_late(*arguments):
        if replaced.exists():
            replaced.rename(path)
        return really_lock(*arguments)

    monkeypatch.setattr(locking, way, lock_late)

    writer().append(path, record(1))

    assert path.read_bytes().startswith(b"# New")
    assert verify_file(path).entries == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_entry_is_not_lost_in_a_file_that_an_editor_replaces(path, monkeypatch, when):
    append(path, 1)
    really_append = history._append
    replaced = path.with_name("replacement")

    def append_while_saved(descriptor: int, data: bytes) -> None:
        """The editor read the file before or after the entry, and saves a new file after it."""
        monkeypatch.setattr(history, "_append", really_append)
        stale = path.read_bytes()
        really_append(descriptor, data)
        saved = path.read_bytes() if when == "after" else stale
        replaced.write_bytes(saved.replace(b"# Job", b"# Edited"))
        replaced.rename(path)

    monkeypatch.setattr(history, "_append", append_while_saved)

    appended = writer().append(path, record(2))

    assert path.read_bytes().startswith(b"# Edited")
    assert run_ids(path) == ["run-1", "run-2"]
    assert verify_file(path, (2, appended.digest)).ok


# -- line ends ---------------------------------------------------------------------------------


def convert(path: Path, *, to_crlf: bool) -> None:
    data = path.read_bytes().replace(b"\r\n", b"\n")
    path.write_bytes(data.replace(b"\n", b"\r\n") if to_crlf else data)


@pytest.mark.parametrize("max_entries", [0, 4])
def test_entries_follow_the_line_ends_of_the_file_and_the_count_goes_on(path, max_entries):
    append(path, 3, max_entries)
    for to_crlf in (True, False, True):
        convert(path, to_crlf=to_crlf)
        assert verify_file(path).problems == ()

        last = append(path, 3, max_entries, first=verify_file(path).last.n + 1)

        data = path.read_bytes()
        assert data.count(b"\r\n") == (data.count(b"\n") if to_crlf else 0)
        assert verify_file(path, (last.n, last.digest)).problems == ()
    assert run_ids_of(path) == [f"run-{number}" for number in range(1, 13)]


def run_ids_of(path: Path) -> list[str]:
    older = archive_path(path)
    region = path.read_bytes().partition(b"\n# History\r\n")[2]
    history = (older.read_bytes() if older.exists() else b"") + region
    return [entry.run_id for entry in iter_entries(history)]


@pytest.mark.parametrize("ending", [b"\n", b"\n\n", b"", b" \n"])
def test_blank_lines_at_the_end_are_no_problem(path, ending):
    append(path, 2)
    path.write_bytes(path.read_bytes().rstrip() + b"\n" * bool(ending) + ending)

    last = append(path, 1, first=3)

    assert last.n == 3
    assert verify_file(path, (3, last.digest)).problems == ()


# -- adopting ----------------------------------------------------------------------------------

WHY = AdoptionRecord(at=1769178782123, who="eve", origin=Origin.CLI, reason="merged by hand")
NOTE = b"\n### 2026-01-14T18:34:51.797Z | Exit Code: 0\n\n**Stdout:**\n```\nanother system"


@pytest.mark.parametrize("to_crlf", [False, True])
def test_foreign_text_is_adopted_and_the_chain_goes_on(path, to_crlf):
    append(path, 2)
    path.write_bytes(path.read_bytes() + NOTE)
    convert(path, to_crlf=to_crlf)
    before = path.read_bytes()

    adopted = adopt(path, WHY)

    assert path.read_bytes().startswith(before)
    assert (adopted.link.n, adopted.after.ok) == (3, True)
    last = append(path, 30, max_entries=10, first=3)
    found = verify_file(path, (last.n, last.digest))
    assert (found.problems, found.entries, last.n) == ((), 32, 33)
    assert [(one.n, one.problem.code.value) for one in found.adopted] == [(3, "foreign")]
    assert b"| Adopted" in archive_path(path).read_bytes()


def test_where_all_is_well_nothing_is_adopted(path):
    append(path, 2)
    before = path.read_bytes()

    adopted = adopt(path, WHY)

    assert (adopted.link, adopted.findings, path.read_bytes()) == (None, (), before)


def test_what_an_editor_took_away_is_adopted_as_missing(path):
    append(path, 2)
    stale = path.read_bytes()
    last = append(path, 2, first=3)
    path.write_bytes(stale)
    head = (4, last.digest)

    adopted = adopt(path, WHY, head)

    assert [(finding.code, finding.entry) for finding in adopted.findings] == [("cut", 3)]
    assert verify_file(path, head).ok
    assert verify_file(path, (adopted.link.n, adopted.link.digest)).ok


def test_a_crash_while_adopting_leaves_what_can_be_adopted(path, monkeypatch):
    append(path, 2)
    path.write_bytes(path.read_bytes() + b"a note\n")
    adopt(path, WHY)
    whole = path.read_bytes()
    for size in range(len(whole) - 600, len(whole) - 3, 97):
        path.write_bytes(whole[:size])
        adopt(path, WHY)
        assert verify_file(path).ok


def test_a_read_only_file_adopts_nothing(path):
    append(path, 1)
    path.write_bytes(path.read_bytes() + b"a note\n")
    path.chmod(0o444)
    with pytest.raises(HistoryReadOnlyError):
        adopt(path, WHY)
