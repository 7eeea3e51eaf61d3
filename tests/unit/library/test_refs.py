from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.errors import NotFoundError
from runbook.library import refs
from runbook.library.refs import Place, open_runbook, parse_ref, read_runbook


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
        open_runbook(at(root, text))


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
    assert read_runbook(at(root, "a/B.md")) == b"# B\n"


def test_the_root_itself_may_be_a_link(root, tmp_path):
    write(root / "A.md")
    (tmp_path / "link").symlink_to(root)
    assert read_runbook(at(tmp_path / "link", "A.md")) == b"text"


def test_links_inside_the_root_are_followed(root):
    write(root / "..2024_x" / "A.md", "mounted")
    (root / "..data").symlink_to("..2024_x")
    (root / "A.md").symlink_to("..data/A.md")
    (root / "folder").symlink_to("..data")
    assert read_runbook(at(root, "A.md")) == b"mounted"
    assert read_runbook(at(root, "folder/A.md")) == b"mounted"


@pytest.mark.parametrize("target", ["../secret.md", "/etc/passwd", "missing.md", "A.md", "."])
def test_other_links_are_not(root, target):
    (root / "A.md").symlink_to(target)
    with pytest.raises(NotFoundError, match=r"^Runbook not found: A\.md$"):
        read_runbook(at(root, "A.md"))


def test_folders_that_lead_outside_are_not_followed(root, tmp_path):
    (root / "up").symlink_to(tmp_path)
    with pytest.raises(NotFoundError):
        read_runbook(at(root, "up/secret.md"))


def test_special_files_neither_hang_nor_open(root):
    os.mkfifo(root / "fifo.md")
    (root / "folder.md").mkdir()
    (root / "null.md").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket.md"))
        for name in ("fifo.md", "folder.md", "null.md", "socket.md", "none.md", "fifo.md/x.md"):
            with pytest.raises(NotFoundError):
                read_runbook(at(root, name))


@pytest.mark.parametrize("exchanged", ["folder", "folder/A.md"])
def test_a_link_slipped_in_after_the_check_is_not_followed(root, tmp_path, monkeypatch, exchanged):
    write(root / "folder" / "A.md")
    write(tmp_path / "A.md", "outside")
    locate = refs._locate

    def slip_in(place: Place, root_now: Path) -> Path:
        real = locate(place, root_now)
        (root / exchanged).rename(root / "away")
        (root / exchanged).symlink_to(tmp_path / "A.md" if "A" in exchanged else tmp_path)
        return real

    monkeypatch.setattr(refs, "_locate", slip_in)
    with pytest.raises(NotFoundError):
        read_runbook(at(root, "folder/A.md"))


def test_no_descriptor_is_left_open(root):
    write(root / "a" / "B.md")
    os.mkfifo(root / "a" / "fifo.md")
    before = len(os.listdir("/proc/self/fd"))
    for ref in ["a/B.md", "a/fifo.md", "a/none.md"] * 5:
        try:
            read_runbook(at(root, ref))
        except NotFoundError:
            continue
    assert len(os.listdir("/proc/self/fd")) == before
