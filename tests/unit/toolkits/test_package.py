"""Packaging a toolkit: the same bytes for the same files, and only what can be installed."""

import io
import os
from pathlib import Path

import pytest

from runbook.cli.toolkits.new_toolkit import new_toolkit
from runbook.errors import ToolkitRefusedError
from runbook.toolkits.archive import unpack
from runbook.toolkits.folder import digest_of
from runbook.toolkits.package import pack


@pytest.fixture
def folder(tmp_path):
    return made(tmp_path / "one" / "lab", reversed)


def made(folder, order=list):
    folder.mkdir(parents=True)
    for name, text in order(list(new_toolkit("lab").items())):
        (folder / name).write_text(text)
    return folder


def test_the_same_files_give_the_same_bytes(tmp_path, folder):
    other = made(tmp_path / "two" / "lab")
    os.utime(other / "Greet.md", (1, 1))
    (other / "README.md").chmod(0o700)
    (other / ".git").mkdir()
    (other / "__pycache__").mkdir()
    with (other / "Greet.md").open("a") as file:
        file.write("\n### a run\n")
    assert pack(folder) == pack(other)
    (other / "README.md").write_text("# Other\n")
    assert pack(folder) != pack(other)


def test_what_is_packed_can_be_installed(tmp_path, folder):
    target = tmp_path / "target"
    target.mkdir()
    unpack(io.BytesIO(pack(folder)), target)
    assert digest_of(target) == digest_of(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / "greet.md").write_text("# Other\n"), "duplicate"),
        (lambda folder: (folder / "link").symlink_to("README.md"), "special_file"),
        (lambda folder: (folder / "toolkit.yaml").write_text("slug: lab\n"), "bad_manifest"),
        (lambda folder: (folder / "toolkit.yaml").unlink(), "no_manifest"),
        (lambda folder: (folder / "a.pyc").write_bytes(b""), "generated_file"),
        (lambda folder: (folder / "a\u202eb.md").write_text(""), "bad_name"),
        (lambda folder: folder.rename(folder.with_name("elsewhere")), "folder_name"),
    ],
)
def test_what_is_refused(folder, change, reason):
    moved = change(folder)
    with pytest.raises(ToolkitRefusedError) as caught:
        pack(moved if isinstance(moved, Path) else folder)
    assert caught.value.details["reason"] == reason
