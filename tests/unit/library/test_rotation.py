from pathlib import Path

import pytest

from histories import HEAD, LEGACY, append, record, run_ids
from runbook.core.history.chain import last_link
from runbook.library import rotation
from runbook.library.catalog import Catalog, Source
from runbook.library.history import HistoryWriter, verify_file
from runbook.library.history_pages import read_page
from runbook.library.rotation import archive_path, journal_path


def writer(max_entries: int = 0) -> HistoryWriter:
    return HistoryWriter(max_entries, 65536)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "Job.md"
    path.write_bytes(HEAD + LEGACY)
    return path


def test_beyond_the_maximum_the_oldest_tenth_moves(path):
    inode = path.stat().st_ino
    last = append(path, 21, max_entries=20)

    assert last.rotated == 3
    older = archive_path(path)
    assert older.name == "Job.history"
    assert older.read_bytes().startswith(LEGACY)
    assert last_link(older.read_bytes()).n == 3
    assert path.read_bytes().startswith(HEAD + b"\n### ")
    assert path.stat().st_ino == inode
    assert run_ids(path) == [f"run-{number}" for number in range(1, 22)]
    assert verify_file(path, (21, last.digest)).ok
    assert not journal_path(path).exists()


def test_rotation_goes_on_and_the_chain_stays_whole(path):
    counts = [writer(5).append(path, record(number)).rotated for number in range(1, 40)]

    assert max(counts) == 2
    assert verify_file(path).entries == 39
    assert path.read_bytes().count(b"\n### ") <= 5
    assert sorted(item.name for item in path.parent.iterdir()) == ["Job.history", "Job.md"]


def test_a_maximum_of_one_keeps_the_last(path):
    append(path, 3, max_entries=1)

    assert path.read_bytes().count(b"\n### ") == 1
    assert verify_file(path).entries == 3


def test_only_the_beginning_of_a_long_history_is_read_to_rotate(path, monkeypatch):
    monkeypatch.setattr(rotation, "_FRONT_BYTES", 100)

    append(path, 12, max_entries=10)

    assert verify_file(path).entries == 12


def test_older_entries_that_were_deleted_are_missing_and_appending_goes_on(path):
    append(path, 21, max_entries=20)
    archive_path(path).unlink()

    last = append(path, 5, max_entries=20, first=22)

    assert last.warning is None
    assert verify_file(path).problems[0].message == "Entry 1 is missing or was changed."
    assert last.n == 26


def test_a_folder_without_room_for_older_entries_is_only_a_warning(path, monkeypatch):
    append(path, 10)
    archive_path(path).mkdir()

    appended = writer(10).append(path, record(11))

    assert appended.n == 11
    assert "Couldn't move" in (appended.warning or "")


def test_older_entries_are_not_written_through_a_link(path, tmp_path):
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    archive_path(path).symlink_to(target)

    assert append(path, 4, max_entries=3).warning is not None
    assert target.read_bytes() == b"precious"


class Crash(BaseException):
    """The process dies here."""


def crash_at(monkeypatch: pytest.MonkeyPatch, step: int) -> list[str]:
    """Crash at the step of that number; the names of the steps that were reached."""
    names: list[str] = []

    def reached(name: str) -> None:
        names.append(name)
        if len(names) == step:
            raise Crash

    monkeypatch.setattr(rotation, "reached", reached)
    monkeypatch.setattr(rotation, "COPY_BYTES", 700)
    return names


STEPS = range(1, 22)


def crash(path: Path, step: int) -> str:
    """Append until a rotation crashes at this step; its name."""
    append(path, 10)
    with pytest.MonkeyPatch.context() as patch:
        names = crash_at(patch, step)
        with pytest.raises(Crash):
            writer(10).append(path, record(11))
    return names[-1]


def test_the_steps_that_crash_are_all_steps(path, monkeypatch):
    names = crash_at(monkeypatch, 0)

    append(path, 11, max_entries=10)

    assert len(names) == STEPS[-1]
    assert list(dict.fromkeys(names)) == [
        "part copied",
        "journal written",
        "journal valid",
        "archive written",
        "history written",
        "history cut",
        "journal gone",
    ]


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_loses_nothing(path, step):
    crash(path, step)
    assert path.read_bytes().startswith(HEAD)

    last = writer(10).append(path, record(12))

    assert path.read_bytes().startswith(HEAD)
    assert run_ids(path) == [f"run-{number}" for number in range(1, 13)]
    assert verify_file(path, (12, last.digest)).ok
    assert not journal_path(path).exists()
    assert path.read_bytes().count(b"\n### ") <= 10


@pytest.mark.parametrize("step", STEPS)
def test_a_head_that_was_edited_after_a_crash_stays_as_edited(path, step):
    crash(path, step)
    edited = HEAD.replace(b"# Job\n", b"# Job\n\nA new line.\n")
    path.write_bytes(path.read_bytes().replace(HEAD, edited))

    last = writer(10).append(path, record(12))

    assert path.read_bytes().startswith(edited)
    assert verify_file(path, (12, last.digest)).ok


@pytest.mark.parametrize("step", STEPS)
def test_a_note_that_was_added_after_a_crash_is_never_lost(path, step):
    name = crash(path, step)
    with path.open("ab") as file:
        file.write(b"a note\n")

    last = writer(10).append(path, record(12))

    assert last.n == 12
    assert b"a note\n" in path.read_bytes()
    assert path.read_bytes().startswith(HEAD)
    if name not in ("part copied", "history written"):
        assert [problem.entry for problem in verify_file(path).problems] == [11]


def test_a_journal_that_makes_no_sense_is_set_aside(path):
    append(path, 2)
    journal_path(path).write_bytes(b"not a journal")

    assert writer().append(path, record(3)).n == 3
    assert journal_path(path).with_name(".Job.history.journal.unused").exists()
    assert verify_file(path).ok


# -- a stale copy --------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [20, 5])
def test_a_copy_from_before_a_rotation_does_not_repeat_what_was_archived(path, limit):
    append(path, limit)
    stale = path.read_bytes()
    append(path, 1, max_entries=limit, first=limit + 1)
    archived = archive_path(path).read_bytes()
    path.write_bytes(stale.replace(b"# Job\n", b"# Job\n\nEdited.\n"))
    assert verify_file(path).problems == ()

    last = append(path, 3 * limit, max_entries=limit, first=limit + 2)

    found = verify_file(path, (last.n, last.digest))
    assert (found.problems, found.entries) == ((), 4 * limit)
    older = archive_path(path).read_bytes()
    assert older.startswith(archived)
    for n in range(1, 4 * limit + 1):
        assert (older + path.read_bytes()).count(f" n={n} ".encode()) == 1
    assert (older + path.read_bytes()).count(b"success") == 1


def test_pages_of_a_stale_copy_show_each_entry_once(path):
    append(path, 20)
    stale = path.read_bytes()
    append(path, 1, max_entries=20, first=21)
    path.write_bytes(stale)
    catalog = Catalog((Source(path.parent),))

    page = read_page(path, catalog.get("Job.md"), before=None, limit=50)

    assert [entry.n for entry in page.entries] == list(range(20, 0, -1))
    assert len(page.legacy) == 1


@pytest.mark.parametrize("step", STEPS)
def test_a_stale_copy_saved_after_a_crash_repeats_nothing(path, step):
    append(path, 9)
    stale = path.read_bytes()
    append(path, 1, first=10)
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, step)
        with pytest.raises(Crash):
            writer(10).append(path, record(11))
    path.write_bytes(stale)

    last = append(path, 5, max_entries=10, first=20)

    assert run_ids(path) == [f"run-{number}" for number in [*range(1, 10), *range(20, 25)]]
    assert verify_file(path, (last.n, last.digest)).problems == ()
