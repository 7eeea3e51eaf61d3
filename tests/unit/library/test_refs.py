from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.core.document import FileRequirement, Runbook
from runbook.errors import InvalidRunbookError, NotFoundError
from runbook.library import refs
from runbook.library.refs import (
    check_input_files,
    input_sources,
    open_runbook,
    parse_ref,
    read_runbook,
    resolve_input_file,
)

EMPTY = Runbook("A", "", (), (), (), None, ())


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("outside")
    return folder


def write(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# -- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref",
    [
        "A.md",
        "proxmox/Create VM.md",
        "a/b/c.md",
        "Größe/日本.md",
        "a..b.md",
        "-x.md",
        "😀.md",
        "a.md.md",
    ],
)
def test_names_of_runbooks(ref):
    assert parse_ref(ref) == ref


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".md",
        "A",
        "A.MD",
        "A.md/",
        "/A.md",
        "a//b.md",
        "./A.md",
        "../A.md",
        "a/../B.md",
        "a/./B.md",
        ".hidden.md",
        ".git/A.md",
        "a\\b.md",
        "a\0.md",
        "a\nb.md",
        "a\x7fb.md",
        "a\x85b.md",
        "a\u2028b.md",
        "a\ud800b.md",
        "x" * 253 + ".md",
        "é" * 127 + ".md",
        "a/" * 600 + "b.md",
        "%2e%2e/A.md\r",
    ],
)
def test_names_of_nothing(text, root):
    with pytest.raises(NotFoundError) as caught:
        parse_ref(text)
    assert str(root) not in caught.value.message
    assert caught.value.message.isprintable()
    with pytest.raises(NotFoundError):
        open_runbook(root, text)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["..", ".", "", "a", "\\", "\0", ".md", "x.md"])).map("/".join))
def test_no_name_leads_outside(text):
    try:
        ref = parse_ref(text)
    except NotFoundError:
        return
    assert os.path.normpath(ref) == ref
    assert not ref.startswith((".", "/"))


# -- files ------------------------------------------------------------------------------------


def test_reads_a_runbook(root):
    write(root / "a" / "B.md", "# B\n")
    assert read_runbook(root, "a/B.md") == b"# B\n"


def test_the_root_itself_may_be_a_link(root, tmp_path):
    write(root / "A.md")
    (tmp_path / "link").symlink_to(root)
    assert read_runbook(tmp_path / "link", "A.md") == b"text"


def test_links_inside_the_root_are_followed(root):
    write(root / "..2024_x" / "A.md", "mounted")
    (root / "..data").symlink_to("..2024_x")
    (root / "A.md").symlink_to("..data/A.md")
    (root / "folder").symlink_to("..data")
    assert read_runbook(root, "A.md") == b"mounted"
    assert read_runbook(root, "folder/A.md") == b"mounted"


@pytest.mark.parametrize("target", ["../secret.md", "/etc/passwd", "missing.md", "A.md", "."])
def test_other_links_are_not(root, target):
    (root / "A.md").symlink_to(target)
    with pytest.raises(NotFoundError, match=r"^Runbook not found: A\.md$"):
        read_runbook(root, "A.md")


def test_folders_that_lead_outside_are_not_followed(root, tmp_path):
    (root / "up").symlink_to(tmp_path)
    with pytest.raises(NotFoundError):
        read_runbook(root, "up/secret.md")


def test_special_files_neither_hang_nor_open(root):
    os.mkfifo(root / "fifo.md")
    (root / "folder.md").mkdir()
    (root / "null.md").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket.md"))
        for name in ("fifo.md", "folder.md", "null.md", "socket.md", "none.md", "fifo.md/x.md"):
            with pytest.raises(NotFoundError):
                read_runbook(root, name)


@pytest.mark.parametrize("exchanged", ["folder", "folder/A.md"])
def test_a_link_slipped_in_after_the_check_is_not_followed(root, tmp_path, monkeypatch, exchanged):
    write(root / "folder" / "A.md")
    write(tmp_path / "A.md", "outside")
    locate = refs.locate

    def slip_in(*arguments: Path) -> Path:
        real = locate(*arguments)
        (root / exchanged).rename(root / "away")
        (root / exchanged).symlink_to(tmp_path / "A.md" if "A" in exchanged else tmp_path)
        return real

    monkeypatch.setattr(refs, "locate", slip_in)
    with pytest.raises(NotFoundError):
        read_runbook(root, "folder/A.md")


def test_no_descriptor_is_left_open(root):
    write(root / "a" / "B.md")
    os.mkfifo(root / "a" / "fifo.md")
    before = len(os.listdir("/proc/self/fd"))
    for ref in ["a/B.md", "a/fifo.md", "a/none.md"] * 5:
        try:
            read_runbook(root, ref)
        except NotFoundError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before


# -- input files ------------------------------------------------------------------------------


def runbook(*paths: str) -> Runbook:
    files = [FileRequirement(path, number) for number, path in enumerate(paths, 10)]
    return replace(EMPTY, files_in=tuple(files))


def problems(root: Path, *paths: str, ref: str = "A.md") -> list[tuple[str, int | None]]:
    return [(p.code, p.line) for p in check_input_files(root, ref, runbook(*paths))]


def test_the_runbooks_own_folder_comes_first(root):
    write(root / "conf.txt")
    write(root / "net" / "conf.txt")
    write(root / "shared" / "x")
    assert resolve_input_file(root, "net/A.md", "conf.txt") == root / "net" / "conf.txt"
    assert resolve_input_file(root, "other/A.md", "./conf.txt") == root / "conf.txt"
    assert resolve_input_file(root, "net/A.md", "../shared/") == root / "shared"
    assert input_sources(root, "net/A.md", runbook("conf.txt", "shared/x")) == (
        root / "net" / "conf.txt",
        root / "shared" / "x",
    )


def test_good_input_files(root):
    write(root / "conf" / "deep" / "x")
    (root / "conf" / "link").symlink_to("deep/x")
    (root / "conf" / "..data").symlink_to("/etc")
    assert problems(root, "conf", "conf/deep/x") == []


def test_a_missing_input_file(root):
    found = check_input_files(root, "A.md", runbook("gone.txt"))
    assert found[0].message == "Required input file does not exist: gone.txt"
    assert (found[0].code, found[0].line) == ("input_file_missing", 10)
    with pytest.raises(InvalidRunbookError, match="does not exist"):
        input_sources(root, "A.md", runbook("gone.txt"))


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.md", "a/../../secret.md", "..", ".", "link", "a\0b", "up/x"]
)
def test_input_files_outside(root, tmp_path, path):
    (root / "link").symlink_to("../secret.md")
    (root / "up").symlink_to(tmp_path)
    write(tmp_path / "x")
    expected = "input_file_missing" if path == "." else "input_file_outside"
    assert problems(root, path) == [(expected, 10)]


def test_a_link_inside_an_input_folder_that_leads_outside(root):
    write(root / "conf" / "x")
    (root / "conf" / "link").symlink_to("../../secret.md")
    found = check_input_files(root, "A.md", runbook("conf"))
    assert [problem.code for problem in found] == ["input_file_outside"]
    assert found[0].message.endswith(": conf/link")


def test_special_input_files(root):
    os.mkfifo(root / "fifo")
    os.mkfifo(write(root / "conf" / "x").parent / "fifo")
    assert problems(root, "fifo", "conf") == [
        ("input_file_special", 10),
        ("input_file_special", 11),
    ]


def test_a_circle_of_links(root):
    write(root / "conf" / "x")
    (root / "conf" / "again").symlink_to(".")
    assert problems(root, "conf") == [("input_file_cycle", 10)]


def test_two_input_files_of_one_name(root):
    write(root / "a" / "x")
    write(root / "b" / "x")
    assert problems(root, "a/x", "b/x") == [("input_file_collision", 11)]
    assert problems(root, "a/x", "a/x") == [("input_file_collision", 11)]


def test_too_many_or_too_large(root, monkeypatch):
    for number in range(4):
        write(root / "conf" / str(number), "12345")
    monkeypatch.setattr(refs._Budget.__init__, "__defaults__", (5, 20))
    assert problems(root, "conf") == []
    assert problems(root, "conf", "conf/1") == [("input_files_too_large", 11)]
    monkeypatch.setattr(refs._Budget.__init__, "__defaults__", (100, 19))
    assert problems(root, "conf") == [("input_files_too_large", 10)]


def test_a_sparse_file_counts_with_its_size(root):
    write(root / "big")
    os.truncate(root / "big", 1 << 40)
    assert problems(root, "big") == [("input_files_too_large", 10)]


def test_a_folder_that_cannot_be_read(root, monkeypatch):
    write(root / "conf" / "x")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert problems(root, "conf") == [("input_file_unreadable", 10)]
