from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.core.document import FileRequirement, Runbook
from runbook.errors import InvalidRunbookError
from runbook.library import input_files
from runbook.library.input_files import check_input_files, input_sources, resolve_input_file
from runbook.library.refs import Place

EMPTY = Runbook("A", "", (), (), (), None, ())


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "runbooks"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("outside")
    return folder


def at(root: Path, ref: str) -> Place:
    return Place(root, ref, ref)


def write(path: Path, text: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def runbook(*paths: str) -> Runbook:
    files = [FileRequirement(path, number) for number, path in enumerate(paths, 10)]
    return replace(EMPTY, files_in=tuple(files))


def problems(root: Path, *paths: str, ref: str = "A.md") -> list[tuple[str, int | None]]:
    return [(p.code, p.line) for p in check_input_files(at(root, ref), runbook(*paths))]


def test_the_runbooks_own_folder_comes_first(root):
    write(root / "conf.txt")
    write(root / "net" / "conf.txt")
    write(root / "shared" / "x")
    assert resolve_input_file(at(root, "net/A.md"), "conf.txt") == root / "net" / "conf.txt"
    assert resolve_input_file(at(root, "other/A.md"), "./conf.txt") == root / "conf.txt"
    assert resolve_input_file(at(root, "net/A.md"), "../shared/") == root / "shared"
    assert input_sources(at(root, "net/A.md"), runbook("conf.txt", "shared/x")) == (
        root / "net" / "conf.txt",
        root / "shared" / "x",
    )


def test_good_input_files(root):
    write(root / "conf" / "deep" / "x")
    (root / "conf" / "link").symlink_to("deep/x")
    (root / "conf" / "..data").symlink_to("/etc")
    assert problems(root, "conf", "conf/deep/x") == []


def test_a_missing_input_file(root):
    found = check_input_files(at(root, "A.md"), runbook("gone.txt"))
    assert found[0].message == "Required input file does not exist: gone.txt"
    assert (found[0].code, found[0].line) == ("input_file_missing", 10)
    with pytest.raises(InvalidRunbookError, match="does not exist"):
        input_sources(at(root, "A.md"), runbook("gone.txt"))


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
    found = check_input_files(at(root, "A.md"), runbook("conf"))
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
    monkeypatch.setattr(input_files._Budget.__init__, "__defaults__", (5, 20))
    assert problems(root, "conf") == []
    assert problems(root, "conf", "conf/1") == [("input_files_too_large", 11)]
    monkeypatch.setattr(input_files._Budget.__init__, "__defaults__", (100, 19))
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
