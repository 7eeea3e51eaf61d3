"""Who can hold up whom: a reader nobody, a writer other writers of the same file."""

import errno
import fcntl
import os
import stat
import threading
import time

import pytest

from runbook.errors import HistoryError
from runbook.library import locking
from runbook.library.locking import appending, journal_path, lock_path, locked, size_of


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "Job.md"
    path.write_bytes(b"# Job\n")
    return path


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(locking, "COURTESY_SECONDS", 0.01)
    monkeypatch.setattr(locking, "_stuck", {})


@pytest.fixture
def reader(path):
    """Somebody who may only read the file, and keeps it locked."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@pytest.mark.parametrize("write", [True, False])
def test_a_readers_lock_delays_and_hinders_nobody(path, reader, write):
    with locked(path, seconds=30, write=write) as descriptor:
        assert size_of(descriptor) == 6


def test_a_readers_shared_lock_does_not_hinder_a_writer_either(path):
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with locked(path, seconds=30, write=True):
            pass


def test_a_held_up_file_is_logged_and_not_waited_for_again(path, reader, monkeypatch, caplog):
    slept = []
    monkeypatch.setattr(locking.time, "sleep", slept.append)
    with locked(path, seconds=30, write=True):
        pass
    first = len(slept)
    with locked(path, seconds=30, write=True):
        pass
    assert (first > 0, slept[first:]) == (True, [])
    assert [r.fields for r in caplog.records if r.getMessage() == "history.foreign_lock"] == [
        {"file": "Job.md"}
    ]


@pytest.mark.parametrize("write", [True, False])
def test_while_a_reader_holds_the_file_one_writer_still_excludes_others(path, reader, write):
    with (
        locked(path, seconds=30, write=True),
        pytest.raises(HistoryError, match="locked"),
        locked(path, seconds=0.02, write=write),
    ):
        pass


def test_while_a_reader_holds_the_file_threads_take_turns(path, reader):
    inside, most = 0, []

    def work():
        nonlocal inside
        for _ in range(20):
            with locked(path, seconds=30, write=True):
                inside += 1
                most.append(inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (80, 1)
    assert os.listdir(path.parent) == ["Job.md"]


def test_two_names_of_one_file_have_one_lock(path, tmp_path):
    (tmp_path / "other").mkdir()
    link = tmp_path / "other" / "Link.md"
    link.symlink_to(path)
    assert lock_path(link) == lock_path(path) == tmp_path / ".Job.history.lock"


@pytest.mark.parametrize(
    ("mode", "guard"), [(0o644, 0o600), (0o664, 0o660), (0o600, 0o600), (0o666, 0o666)]
)
def test_only_those_who_may_write_the_runbook_can_open_the_lock(path, mode, guard):
    path.chmod(mode)
    with locked(path, seconds=1, write=True):
        status = lock_path(path).stat()
        assert stat.S_IMODE(status.st_mode) == guard
        assert status.st_uid == path.stat().st_uid
    assert os.listdir(path.parent) == ["Job.md"]


def test_a_lock_that_a_crash_left_behind_is_taken_over(path):
    lock_path(path).touch(0o600)
    with locked(path, seconds=0.1, write=False):
        pass
    with locked(path, seconds=0.1, write=True):
        pass
    assert os.listdir(path.parent) == ["Job.md"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_in_a_folder_without_room_for_the_lock_the_file_itself_is_locked(
    path, reader, monkeypatch, number
):
    really_open = os.open

    def refuse(name, *arguments):
        if name == lock_path(path):
            raise OSError(number, os.strerror(number))
        return really_open(name, *arguments)

    monkeypatch.setattr(locking.os, "open", refuse)
    with pytest.raises(HistoryError, match="locked"), locked(path, seconds=0.02, write=True):
        pass
    with locked(path, seconds=0.02, write=False):
        pass
    fcntl.flock(reader, fcntl.LOCK_UN)
    with locked(path, seconds=0.02, write=True):
        pass


def test_who_cannot_create_the_lock_still_excludes_others(path, monkeypatch):
    """Also those who can: they wait only briefly for the lock on the file."""
    really_open, refused = os.open, True

    def refuse(name, *arguments):
        if refused and name == lock_path(path):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return really_open(name, *arguments)

    monkeypatch.setattr(locking.os, "open", refuse)
    with locked(path, seconds=0.02, write=True):
        refused = False
        with pytest.raises(HistoryError, match="locked"), locked(path, seconds=0.02, write=True):
            pass
    with locked(path, seconds=0.02, write=True):
        pass


def test_something_else_in_the_place_of_the_lock_is_not_touched(path):
    lock_path(path).mkdir()
    with locked(path, seconds=0.1, write=True):
        pass
    assert lock_path(path).is_dir()


def test_a_plain_append_leaves_the_folder_alone(path):
    before = path.parent.stat().st_mtime_ns
    with appending(path) as descriptor:
        assert size_of(descriptor) == 6
    assert path.parent.stat().st_mtime_ns == before


@pytest.mark.parametrize("write", [True, False])
def test_who_appends_excludes_others(path, write):
    with (
        appending(path),
        pytest.raises(HistoryError, match="locked"),
        locked(path, seconds=0.02, write=write),
    ):
        pass
    with locked(path, seconds=0.02, write=write):
        pass


def test_a_writer_excludes_who_wants_to_append(path):
    with locked(path, seconds=1, write=True), appending(path) as descriptor:
        assert descriptor is None


@pytest.mark.parametrize("name", [lock_path, journal_path])
def test_nobody_appends_alone_while_there_is_a_file_of_another_writer(path, name):
    name(path).touch()
    with appending(path) as descriptor:
        assert descriptor is None


def test_a_reader_can_only_prevent_the_lock_on_the_bytes(path):
    """Whatever it does to the file, entries are still written."""
    with path.open("rb") as file:
        first_byte = locking._FLOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 1, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, first_byte)
        with appending(path) as descriptor:
            assert descriptor is None
        with locked(path, seconds=0.02, write=True):
            pass


def test_all_ways_to_write_take_turns(path):
    inside, most = 0, []

    def enter():
        nonlocal inside
        inside += 1
        most.append(inside)
        time.sleep(0)
        inside -= 1

    def work():
        done = 0
        while done < 20:
            with appending(path) as descriptor:
                if descriptor is not None:
                    enter()
                    done += 1
            with locked(path, seconds=30, write=True):
                enter()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert os.listdir(path.parent) == ["Job.md"]
