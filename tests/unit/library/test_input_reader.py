from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from runbook.core.run_files import InputLimits, RunFile, RunFiles, digest_of
from runbook.library import input_reader
from runbook.library.input_reader import InputReader, UnfitInputError
from runbook.library.locking import locked
from runbook.library.rotation import journal_path


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("canary")
    return tmp_path / "secret"


@pytest.fixture
def read(root):
    def read(*names: str, **limits: int) -> RunFiles:
        reader = InputReader(root, InputLimits(**limits), keep=True)
        for name in names:
            reader.read(root / name, name)
        return reader.found()

    return read


def code(error: pytest.ExceptionInfo[UnfitInputError]) -> str:
    return error.value.problem.code


def contents(found: RunFiles) -> dict[str, bytes | None]:
    return {f.path: found.contents[f.digest] if f.digest else None for f in found.files}


def test_files_are_kept_by_their_last_name_with_the_right_to_be_run(root, read):
    (root / "tools").mkdir()
    (root / "tools" / "tool").write_bytes(b"#!/bin/sh\n")
    (root / "tools" / "tool").chmod(0o755)
    (root / "data").write_bytes(b"\0" * 3_000_000)
    found = read("tools/tool", "data")
    assert found.files == (
        RunFile("data", 0o600, digest_of(b"\0" * 3_000_000), 3_000_000),
        RunFile("tool", 0o700, digest_of(b"#!/bin/sh\n"), 10),
    )
    assert contents(found) == {"data": b"\0" * 3_000_000, "tool": b"#!/bin/sh\n"}


def test_folders_are_read_with_everything_in_them(root, read):
    (root / "a" / "b" / "empty").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("x")
    (root / "a" / ".hidden").write_text("x")
    (root / "a" / "\udcff").write_text("y")
    found = read("a")
    assert contents(found) == {
        "a": None,
        "a/.hidden": b"x",
        "a/b": None,
        "a/b/empty": None,
        "a/b/file": b"x",
        "a/\udcff": b"y",
    }
    assert [file.path for file in found.files] == sorted(file.path for file in found.files)
    assert len(found.contents) == 2


def test_without_keeping_nothing_is_read(root, monkeypatch):
    (root / "data").write_text("x")
    reader = InputReader(root, InputLimits(), keep=False)
    monkeypatch.setattr(os, "read", None)
    reader.read(root / "data", "data")
    assert reader.found() == RunFiles()


@pytest.mark.parametrize("name", ["../secret/key", "link", "folder-link/key", "folder-link", "."])
def test_nothing_leads_out_of_the_root(root, read, secret, name):
    (root / "link").symlink_to(secret / "key")
    (root / "folder-link").symlink_to(secret)
    with pytest.raises(UnfitInputError) as error:
        read(name)
    assert code(error) == "input_file_outside"


@pytest.mark.parametrize("goal", ["key", ""])
def test_a_link_inside_a_folder_leads_out_neither(root, read, secret, goal):
    (root / "folder").mkdir()
    (root / "folder" / "link").symlink_to(secret / goal)
    with pytest.raises(UnfitInputError) as error:
        read("folder")
    assert code(error) == "input_file_outside"


def test_the_links_of_a_kubernetes_mount_are_followed(root, read):
    (root / "mount" / "..2024_01_01").mkdir(parents=True)
    (root / "mount" / "..2024_01_01" / "key").write_text("value")
    (root / "mount" / "..data").symlink_to("..2024_01_01")
    (root / "mount" / "key").symlink_to("..data/key")
    found = contents(read("mount", "mount/key"))
    assert found == {"mount": None, "mount/key": b"value", "key": b"value"}


def test_files_that_the_engine_creates_for_a_moment_are_no_input(root, read):
    (root / "folder").mkdir()
    for name in ("Job.md", "Job.history", ".hidden"):
        (root / "folder" / name).touch()
    append = root / "folder" / "Job.md"
    journal_path(append).touch()
    with locked(append, seconds=1, write=True):
        assert set(contents(read("folder"))) == {
            "folder",
            "folder/Job.md",
            "folder/Job.history",
            "folder/.hidden",
        }


def test_a_link_to_a_folder_is_followed_but_not_in_circles(root, read):
    (root / "shared").mkdir()
    (root / "shared" / "file").touch()
    (root / "folder").mkdir()
    (root / "folder" / "lib").symlink_to("../shared")
    assert contents(read("folder"))["folder/lib/file"] == b""
    (root / "shared" / "back").symlink_to("../folder")
    with pytest.raises(UnfitInputError) as error:
        read("folder")
    assert code(error) == "input_file_cycle"


def test_a_link_to_itself_cannot_be_read(root, read):
    (root / "link").symlink_to("link")
    with pytest.raises(UnfitInputError) as error:
        read("link")
    assert code(error) == "input_file_unreadable"


@pytest.mark.parametrize("name", ["file", "folder/key"])
def test_a_link_exchanged_after_the_check_leaks_nothing(root, read, secret, name, monkeypatch):
    """The path is resolved while it is harmless, and swapped before it is opened."""
    (root / "folder").mkdir()
    (root / "folder" / "key").write_text("harmless")
    (root / "file").write_text("harmless")
    realpath = os.path.realpath

    def swap(path: Path, **options: bool) -> str:
        real = realpath(path, **options)
        if Path(path) == root:
            return real
        if name == "file":
            (root / "file").unlink()
            (root / "file").symlink_to(secret / "key")
        else:
            (root / "folder").rename(root / "moved")
            (root / "folder").symlink_to(secret)
        return real

    monkeypatch.setattr(os.path, "realpath", swap)
    with pytest.raises(UnfitInputError) as error:
        read(name)
    assert code(error) in ("input_file_special", "input_file_unreadable")


def test_a_swap_race_never_leaks(root, read, secret):
    """A file and a link to a secret change places all the time."""
    over = threading.Event()
    (root / "link").symlink_to(secret / "key")
    (root / "plain").write_text("harmless")
    os.link(root / "plain", root / "file")

    def swap() -> None:
        while not over.is_set():
            for source in ("link", "plain"):
                os.link(root / source, root / "next", follow_symlinks=False)
                (root / "next").replace(root / "file")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(300):
            try:
                found = read("file")
            except UnfitInputError:
                continue
            assert contents(found) == {"file": b"harmless"}
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
@pytest.mark.parametrize("inside", [False, True])
def test_special_files_are_refused_without_waiting(root, read, kind, inside, monkeypatch):
    (root / "folder").mkdir()
    monkeypatch.chdir(root / "folder")
    if kind == "fifo":
        os.mkfifo("special")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("special")
    else:
        try:
            os.mknod("special", 0o20600, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("only root makes devices")
    with pytest.raises(UnfitInputError) as error:
        read("folder" if inside else "folder/special")
    assert code(error) == "input_file_special"


def test_the_limits_are_for_all_together_and_name_what_goes_beyond(root, read):
    (root / "a").write_text("12345")
    (root / "b").write_text("12345")
    (root / "folder").mkdir()
    (root / "folder" / "c").write_text("12345")
    assert len(read("a", "b", bytes=10, files=2).files) == 2
    for name, limits in (("b", {"bytes": 9}), ("b", {"files": 1}), ("folder/c", {"files": 2})):
        with pytest.raises(UnfitInputError) as error:
            read("a", name.partition("/")[0], **limits)
        assert code(error) == "input_files_too_large"
        assert name in error.value.problem.message
        assert str(next(iter(limits.values()))) in error.value.problem.message


def test_a_huge_file_is_not_even_read(root, read, monkeypatch):
    (root / "big").touch()
    os.truncate(root / "big", 1 << 40)
    monkeypatch.setattr(os, "read", None)
    with pytest.raises(UnfitInputError) as error:
        read("big")
    assert code(error) == "input_files_too_large"


@pytest.mark.parametrize("change", ["grows", "shrinks", "is overwritten"])
def test_a_file_that_changes_while_it_is_read_is_refused(root, read, monkeypatch, change):
    path = root / "data"
    path.write_text("12345678")
    monkeypatch.setattr(input_reader, "_CHUNK_BYTES", 4)
    reading, changed = os.read, []

    def meanwhile(descriptor: int, size: int) -> bytes:
        chunk = reading(descriptor, size)
        if not changed:
            changed.append(True)
            text = {"grows": "1" * 99, "shrinks": "1", "is overwritten": "x" * 8}[change]
            path.write_text(text)
            os.utime(path, ns=(1, 1))
        return chunk

    monkeypatch.setattr(os, "read", meanwhile)
    with pytest.raises(UnfitInputError) as error:
        read("data")
    assert code(error) == "input_file_changed"


def test_no_descriptor_is_left_open(root, read):
    (root / "folder" / "deep").mkdir(parents=True)
    (root / "folder" / "deep" / "x").touch()
    os.mkfifo(root / "folder" / "z")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(UnfitInputError):
            read("folder")
    assert len(os.listdir("/proc/self/fd")) == before
