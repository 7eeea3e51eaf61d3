from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.core.document import FileRequirement, Problem, Runbook
from runbook.core.run_files import InputLimits
from runbook.library import input_files
from runbook.library.input_files import check_input_files, read_input_files
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


def check(root: Path, *paths: str, **limits: int) -> list[Problem]:
    """The problems, which checking and reading both report."""
    asked = (at(root, "A.md"), runbook(*paths), InputLimits(**limits))
    found = check_input_files(*asked)
    assert read_input_files(*asked)[1] == found
    return found


def problems(root: Path, *paths: str, **limits: int) -> list[tuple[str, int | None]]:
    return [(p.code, p.line) for p in check(root, *paths, **limits)]


def test_the_runbooks_own_folder_comes_first(root):
    write(root / "conf.txt", "root")
    write(root / "net" / "conf.txt", "own")
    write(root / "shared" / "x", "shared")

    def read(ref: str, *paths: str) -> list[tuple[str, bytes | None]]:
        found, wrong = read_input_files(at(root, ref), runbook(*paths), InputLimits())
        assert wrong == []
        return [(file.path, found.contents.get(file.digest or "")) for file in found.files]

    assert read("net/A.md", "conf.txt") == [("conf.txt", b"own")]
    assert read("other/A.md", "./conf.txt") == [("conf.txt", b"root")]
    assert read("net/A.md", "../shared/") == [("shared", None), ("shared/x", b"shared")]
    assert read("net/A.md", "conf.txt", "shared/x") == [("conf.txt", b"own"), ("x", b"shared")]


def test_what_vanishes_before_it_is_read(root, monkeypatch):
    path = write(root / "conf.txt")
    found = input_files._locate(at(root, "A.md"), "conf.txt")
    path.unlink()
    monkeypatch.setattr(input_files, "_locate", lambda *_: found)
    _, wrong = read_input_files(at(root, "A.md"), runbook("conf.txt"), InputLimits())
    assert [(problem.code, problem.line) for problem in wrong] == [("input_file_unreadable", 10)]


def test_good_input_files(root):
    write(root / "conf" / "deep" / "x")
    (root / "conf" / "link").symlink_to("deep/x")
    (root / "conf" / "..data").symlink_to("/etc")
    assert problems(root, "conf", "conf/deep/x") == []


def test_a_missing_input_file(root):
    found = check(root, "gone.txt")
    assert found[0].message == "Required input file does not exist: gone.txt"
    assert (found[0].code, found[0].line) == ("input_file_missing", 10)


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
    found = check(root, "conf")
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


def test_too_many_or_too_large(root):
    for number in range(4):
        write(root / "conf" / str(number), "12345")
    assert problems(root, "conf", files=5, bytes=20) == []
    too_large = [("input_files_too_large", 11)]
    assert problems(root, "conf", "conf/1", files=5) == too_large
    assert problems(root, "conf", "conf/1", bytes=20) == too_large


def test_a_sparse_file_counts_with_its_size(root):
    write(root / "big")
    os.truncate(root / "big", 1 << 40)
    assert problems(root, "big") == [("input_files_too_large", 10)]


def test_a_folder_that_cannot_be_read(root, monkeypatch):
    write(root / "conf" / "x")

    def refuse(folder: int) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    assert problems(root, "conf") == [("input_file_unreadable", 10)]
