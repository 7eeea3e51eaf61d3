import os
import socket
import threading
from pathlib import Path

import pytest

from runbook.engine.process.copying import InputCopier


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


@pytest.fixture
def copy(root, target):
    def copy(*names, **limits):
        InputCopier(root, target, **limits).copy([Path(name) for name in names])

    return copy


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("canary")
    return tmp_path / "secret"


def test_files_are_copied_by_basename_and_keep_the_right_to_be_run(root, target, copy):
    (root / "tools").mkdir()
    (root / "tools" / "tool").write_text("#!/bin/sh\n")
    (root / "tools" / "tool").chmod(0o755)
    (root / "data").write_bytes(b"\0" * 3_000_000)
    copy("tools/tool", "data")
    assert (target / "tool").stat().st_mode & 0o777 == 0o700
    assert (target / "data").stat().st_mode & 0o777 == 0o600
    assert (target / "data").read_bytes() == b"\0" * 3_000_000


def test_folders_are_copied_with_everything_in_them(root, target, copy):
    (root / "a" / "b" / "empty").mkdir(parents=True)
    (root / "a" / "b" / "file").write_text("x")
    (root / "a" / ".hidden").write_text("y")
    copy("a")
    copied = sorted(str(path.relative_to(target)) for path in target.rglob("*"))
    assert copied == ["a", "a/.hidden", "a/b", "a/b/empty", "a/b/file"]


@pytest.mark.parametrize("name", ["../secret/key", "link", "folder-link/key", "folder-link", "."])
def test_nothing_leads_out_of_the_root(root, target, copy, secret, name):
    (root / "link").symlink_to(secret / "key")
    (root / "folder-link").symlink_to(secret)
    with pytest.raises(PermissionError, match="outside the runbooks directory"):
        copy(name)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize("goal", ["key", ""])
def test_a_link_inside_a_folder_leads_out_neither(root, copy, secret, goal):
    (root / "folder").mkdir()
    (root / "folder" / "link").symlink_to(secret / goal)
    with pytest.raises(PermissionError, match="outside the runbooks directory"):
        copy("folder")


def test_the_links_of_a_kubernetes_mount_are_followed(root, target, copy):
    (root / "mount" / "..2024_01_01").mkdir(parents=True)
    (root / "mount" / "..2024_01_01" / "key").write_text("value")
    (root / "mount" / "..data").symlink_to("..2024_01_01")
    (root / "mount" / "key").symlink_to("..data/key")
    copy("mount", "mount/key")
    assert (target / "key").read_text() == (target / "mount" / "key").read_text() == "value"
    assert not (target / "mount" / "key").is_symlink()
    assert [path.name for path in (target / "mount").iterdir()] == ["key"]


def test_a_link_to_a_folder_is_followed_but_not_in_circles(root, target, copy):
    (root / "shared").mkdir()
    (root / "shared" / "file").touch()
    (root / "folder").mkdir()
    (root / "folder" / "lib").symlink_to("../shared")
    copy("folder")
    assert (target / "folder" / "lib" / "file").exists()
    (root / "shared" / "back").symlink_to("../folder")
    with pytest.raises(OSError, match="leads back"):
        InputCopier(root, target / "folder").copy([Path("folder")])


def test_a_link_to_itself_is_an_error(root, copy):
    (root / "link").symlink_to("link")
    with pytest.raises(OSError, match="Too many levels"):
        copy("link")


@pytest.mark.parametrize("name", ["file", "folder"])
def test_a_link_exchanged_after_the_check_leaks_nothing(
    root, target, copy, secret, name, monkeypatch
):
    """The path is resolved while it is harmless, and swapped before it is opened."""
    (root / "folder").mkdir()
    (root / "folder" / "key").write_text("harmless")
    (root / "file").write_text("harmless")
    realpath = os.path.realpath

    def swap(path, **options):
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
    with pytest.raises(OSError, match=r"neither a regular|Not a directory|symbolic links"):
        copy("file" if name == "file" else "folder/key")
    assert "canary" not in [path.read_text() for path in target.iterdir()]


def test_a_swap_race_never_leaks(root, target, secret):
    """A file and a link to a secret change places all the time."""
    over = threading.Event()
    (root / "link").symlink_to(secret / "key")
    (root / "plain").write_text("harmless")
    os.link(root / "plain", root / "file")

    def swap():
        while not over.is_set():
            for source in ("link", "plain"):
                os.link(root / source, root / "next", follow_symlinks=False)
                (root / "next").replace(root / "file")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(300):
            try:
                InputCopier(root, target).copy([Path("file")])
            except OSError:
                continue
            assert (target / "file").read_text() == "harmless"
            (target / "file").unlink()
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
@pytest.mark.parametrize("inside", [False, True])
def test_special_files_are_refused_without_waiting(root, copy, kind, inside, monkeypatch):
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
    with pytest.raises(OSError, match="neither a regular file nor a folder"):
        copy("folder" if inside else "folder/special")


def test_the_number_of_files_is_bounded(root, copy):
    (root / "folder").mkdir()
    for number in range(5):
        (root / "folder" / str(number)).touch()
    with pytest.raises(OSError, match="too many"):
        copy("folder", max_files=5)


def test_the_size_is_bounded_before_anything_is_read(root, target, copy):
    with (root / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="too large"):
        copy("sparse")
    assert list(target.iterdir()) == []


def test_the_size_is_bounded_for_all_together(root, copy):
    for name in ("a", "b"):
        (root / name).write_bytes(b"x" * 60)
    with pytest.raises(OSError, match="too large"):
        copy("a", "b", max_bytes=100)


def test_a_file_that_grows_while_it_is_read_is_bounded(root, copy, monkeypatch):
    (root / "log").write_bytes(b"x")
    monkeypatch.setattr(os, "read", lambda descriptor, size: b"x" * 60)
    with pytest.raises(OSError, match="too large"):
        copy("log", max_bytes=100)


def test_folders_have_a_greatest_depth(root, copy):
    (root / "/".join("x" * 80)).mkdir(parents=True)
    with pytest.raises(OSError, match="deeper"):
        copy("x")


def test_equal_names_collide(root, copy):
    (root / "folder").mkdir()
    (root / "folder" / "file").touch()
    (root / "file").touch()
    with pytest.raises(FileExistsError):
        copy("file", "folder/file")


def test_a_missing_file_is_an_error(copy):
    with pytest.raises(FileNotFoundError):
        copy("absent")
