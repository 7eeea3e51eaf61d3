from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from runbook.core.language.parse import parse
from runbook.core.language.summary import NO_SUMMARY, Summary
from runbook.errors import NotFoundError
from runbook.library import loading, refs
from runbook.library.catalog import Catalog, Snapshot, Source
from runbook.library.refs import Place

LATER = 10**18
"""Nanoseconds: long after any change of a test's files."""


def text(name: str, claims: str = "") -> str:
    return (
        f"# {name}\n\n# Environment Requirements\n\n```yaml\n```\n\n"
        f"# File System Requirements\n\n```yaml\nInput:\n```\n\n{claims}"
        "# Script\n\n```sh\necho hi\n```\n\n# History\n"
    )


ENTRY = "\n### 2026-01-23T14:33:02.123Z | Exit Code: 0\n\n**Stdout:**\n\n```\nhi\n```\n"


@dataclass
class Clocks:
    """Seconds that a test moves, and a wall clock that finds every file long unchanged."""

    seconds: float = 0.0
    offset: int = LATER

    def monotonic(self) -> float:
        return self.seconds

    def wall(self) -> int:
        return time.time_ns() + self.offset


def catalog_of(root: Path, **options: object) -> Catalog:
    return Catalog((Source(root),), **options)


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "runbooks"
    folder.mkdir()
    return folder


@pytest.fixture
def catalog(root, clocks):
    return catalog_of(root, clock=clocks.monotonic, wall_clock=clocks.wall)


def write(root: Path, ref: str, content: str | None = None) -> Path:
    path = root / ref
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(path.stem) if content is None else content)
    return path


def append(path: Path, addition: str) -> None:
    with path.open("a") as file:
        file.write(addition)


def listed(snapshot: Snapshot) -> list[str]:
    return [entry.ref for entry in snapshot.entries]


@pytest.fixture
def reads(monkeypatch):
    """The offset and length of everything read from files."""
    found: list[tuple[int, int]] = []
    pread = os.pread

    def noting(descriptor: int, length: int, offset: int) -> bytes:
        data = pread(descriptor, length, offset)
        found.append((offset, len(data)))
        return data

    monkeypatch.setattr(os, "pread", noting)
    return found


# -- one runbook ------------------------------------------------------------------------------


def test_an_entry(root, catalog):
    write(root, "net/Demo.md")
    entry = catalog.get("net/Demo.md")
    assert entry.ref == "net/Demo.md"
    assert entry.document == parse(text("Demo").encode(), stem="Demo")
    assert entry.document.problems == ()
    assert entry.head == text("Demo").removesuffix("# History\n").encode()
    assert catalog.content("net/Demo.md") == text("Demo").encode()


@pytest.mark.parametrize("ref", ["none.md", "../x.md", "a\0.md", ".md", "x"])
def test_what_is_not_there(catalog, ref):
    for asking in (catalog.get, catalog.content):
        with pytest.raises(NotFoundError):
            asking(ref)


def test_an_unchanged_file_is_not_opened_again(root, catalog, monkeypatch):
    write(root, "Demo.md")
    entry = catalog.get("Demo.md")
    monkeypatch.setattr(loading, "open_runbook", None)
    assert catalog.get("Demo.md") is entry


def test_a_changed_file_is_read_again(root, catalog):
    path = write(root, "Demo.md")
    catalog.get("Demo.md")
    path.write_text(text("Demo").replace("echo hi", "echo hello"))
    assert b"hello" in catalog.get("Demo.md").head
    path.unlink()
    with pytest.raises(NotFoundError):
        catalog.get("Demo.md")


def test_a_change_without_a_new_time_or_size_is_seen(root, clocks):
    clocks.offset = 0
    catalog = catalog_of(root, wall_clock=clocks.wall)
    path = write(root, "Demo.md")
    for word in ("ab", "cd", "ef", "gh") * 5:
        path.write_text(text("Demo").replace("hi", word))
        assert f"echo {word}".encode() in catalog.get("Demo.md").head


def test_a_file_with_restored_times_is_seen(root, catalog):
    path = write(root, "Demo.md")
    before = path.stat()
    catalog.get("Demo.md")
    path.write_text(text("Demo").replace("hi", "ho"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert b"echo ho" in catalog.get("Demo.md").head


def test_after_an_append_only_the_new_part_is_read(root, catalog, reads):
    path = write(root, "Demo.md", text("Demo") + ENTRY * 5000)
    before = catalog.get("Demo.md")
    reads.clear()
    append(path, ENTRY)
    after = catalog.get("Demo.md")
    assert sum(length for _, length in reads) < 20_000
    assert after.document.digest == before.document.digest
    assert after.identity.size == before.identity.size + len(ENTRY)
    assert after == catalog_of(root).get("Demo.md")


def test_a_file_that_grows_while_it_is_read(root, catalog, monkeypatch):
    path = write(root, "Demo.md", text("Demo"))
    catalog.get("Demo.md")
    append(path, ENTRY)
    fstat = os.fstat

    def before_it_grows(descriptor: int) -> os.stat_result:
        facts = fstat(descriptor)
        append(path, ENTRY)
        return facts

    with monkeypatch.context() as patched:
        patched.setattr(loading.os, "fstat", before_it_grows)
        catalog.get("Demo.md")
    assert catalog.get("Demo.md") == catalog_of(root).get("Demo.md")


@pytest.mark.parametrize("addition", ["# Script\n", "Script\n===\n", "\n# Required Claims"])
def test_what_is_appended_is_checked(root, catalog, addition):
    path = write(root, "Demo.md", text("Demo") + ENTRY * 500)
    assert catalog.get("Demo.md").document.runbook is not None
    for letter in addition:
        append(path, letter)
        found = catalog.get("Demo.md").document
    assert found == parse(path.read_bytes(), stem="Demo")
    assert found.errors != ()
    assert found.runbook is None


def test_a_heading_that_grows_is_read_again(root, catalog):
    path = write(root, "Demo.md", text("Demo").rstrip("\n"))
    assert catalog.get("Demo.md").document.history_bytes is not None
    append(path, "x\n")
    assert catalog.get("Demo.md").document.history_bytes is None


def test_a_head_that_changed_with_an_append_is_read_again(root, catalog):
    path = write(root, "Demo.md")
    catalog.get("Demo.md")
    path.write_text(text("Demo").replace("hi", "ho") + ENTRY)
    assert b"echo ho" in catalog.get("Demo.md").head


def test_a_trimmed_history_is_scanned_again(root, catalog):
    path = write(root, "Demo.md", text("Demo") + "# Script\n" + ENTRY * 10)
    assert catalog.get("Demo.md").document.errors != ()
    path.write_text(text("Demo") + ENTRY)
    found = catalog.get("Demo.md")
    assert found == catalog_of(root).get("Demo.md")
    assert found.document.errors == ()


def test_a_file_that_cannot_be_read_is_invalid_and_for_nobody(root, catalog, monkeypatch):
    write(root, "Demo.md")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied", str(root))

    monkeypatch.setattr(loading, "open_runbook", refuse)
    monkeypatch.setattr(refs, "open_runbook", refuse)
    document = catalog.get("Demo.md").document
    assert [problem.code for problem in document.errors] == ["unreadable"]
    assert str(root) not in document.errors[0].message
    assert not document.claims_known
    assert [entry.document.errors for entry in catalog.list().entries] == [document.errors]
    with pytest.raises(NotFoundError):
        catalog.content("Demo.md")


def test_a_mount_that_is_exchanged(root, catalog):
    write(root, "..1/Demo.md")
    write(root, "..2/Demo.md", text("Demo").replace("hi", "ho"))
    (root / "..data").symlink_to("..1")
    (root / "Demo.md").symlink_to("..data/Demo.md")
    assert b"echo hi" in catalog.get("Demo.md").head
    (root / "..next").symlink_to("..2")
    (root / "..next").rename(root / "..data")
    assert b"echo ho" in catalog.get("Demo.md").head
    assert listed(catalog.list()) == ["Demo.md"]


def test_a_file_exchanged_for_a_link_that_leads_outside(root, catalog, tmp_path):
    path = write(root, "Demo.md")
    catalog.get("Demo.md")
    path.rename(tmp_path / "Outside.md")
    path.symlink_to(tmp_path / "Outside.md")
    with pytest.raises(NotFoundError):
        catalog.content("Demo.md")
    path.unlink()
    path.symlink_to(write(tmp_path, "Other.md"))
    with pytest.raises(NotFoundError):
        catalog.get("Demo.md")


def test_only_so_much_is_kept(root, clocks):
    for number in range(4):
        write(root, f"R{number}.md")
    size = len(text("R0").removesuffix("# History\n"))
    for bounds in ({"cached_runbooks": 2}, {"cached_bytes": size * 2}):
        catalog = catalog_of(root, wall_clock=clocks.wall, **bounds)
        for ref in ("R0.md", "R1.md", "R0.md", "R2.md"):
            catalog.get(ref)
        assert list(catalog._loaded) == ["R0.md", "R2.md"]
        assert catalog._bytes == size * 2
        assert len(catalog.list().entries) == 4


# -- all runbooks -----------------------------------------------------------------------------


def test_a_listing(root, catalog):
    write(root, "b/Two.md")
    write(root, "One.md")
    write(root, "a/b/Three.md", "# Nothing\n")
    write(root, "Restricted.md", text("Restricted", "# Required Claims\n\n```yaml\na: b\n```\n"))
    for other in ("One.history", "notes.txt", ".hidden.md", ".git/x.md", "b/.x/y.md", "A.MD"):
        write(root, other)
    snapshot = catalog.list()
    assert listed(snapshot) == ["One.md", "Restricted.md", "a/b/Three.md", "b/Two.md"]
    assert [bool(entry.document.errors) for entry in snapshot.entries] == [0, 0, 1, 0]
    assert snapshot.entries[1].document.claims == {"a": ("b",)}
    assert {entry.head for entry in snapshot.entries} == {b""}


def test_a_listing_says_what_each_is_about(root, catalog):
    write(root, "One.md", text("One").replace("# One\n", "# One\n\nDoes *one* thing.\n", 1))
    write(root, "Two.md", "# Two\n\nNot valid.\n")
    one, two = (entry.summary for entry in catalog.list().entries)
    assert one == Summary("Does one thing.", 1)
    assert two == NO_SUMMARY


def test_a_search_looks_at_ref_name_and_what_stands_above_history(root, catalog):
    write(root, "net/Alpha.md", text("Alpha") + "\nneedle below History\n")
    write(root, "Beta.md", text("Beta").replace("echo hi", "echo Überprüft the NEEDLE"))
    write(root, "Gamma.md", "# Needle\n")

    def found(words):
        return [one.entry.ref for one in catalog.search(words)]

    assert found("needle") == ["Beta.md", "Gamma.md"]
    assert found("überPRÜFT") == ["Beta.md"]
    assert found("NET/alpha") == ["net/Alpha.md"]
    assert found("nowhere") == []


def test_a_search_reads_what_is_not_kept_and_keeps_no_more(root, clocks, monkeypatch):
    for number in range(4):
        write(root, f"R{number}.md", text(f"R{number}") + "\necho hi\n")
    write(root, "Gone.md")
    catalog = catalog_of(root, wall_clock=clocks.wall, cached_runbooks=1)
    catalog.list()
    kept = list(catalog._loaded)
    # Nothing tells a listing within the same second that a file has another content.
    (root / "R2.md").write_text("# Other\n")
    monkeypatch.setattr(catalog._listing(catalog.sources.root)._folders, "changed", lambda: False)
    (root / "Gone.md").unlink()

    assert [one.entry.ref for one in catalog.search("echo HI")] == ["R0.md", "R1.md", "R3.md"]
    assert list(catalog._loaded) == kept


def test_an_unchanged_listing_is_the_same(root, catalog, clocks):
    write(root, "One.md")
    first = catalog.list()
    clocks.seconds += 5
    assert catalog.list() is first
    assert catalog_of(root).list().generation == first.generation


def test_a_new_or_vanished_file_is_seen_at_once(root, catalog):
    write(root, "a/One.md")
    generations = [catalog.list().generation]
    write(root, "a/Two.md")
    assert listed(catalog.list()) == ["a/One.md", "a/Two.md"]
    generations.append(catalog.list().generation)
    (root / "a/One.md").unlink()
    assert listed(catalog.list()) == ["a/Two.md"]
    generations.append(catalog.list().generation)
    write(root, "b/c/Three.md")
    assert listed(catalog.list()) == ["a/Two.md", "b/c/Three.md"]
    generations.append(catalog.list().generation)
    assert len(set(generations)) == 4


def test_a_change_inside_a_file_is_seen_after_a_second(root, catalog, clocks):
    path = write(root, "One.md")
    first = catalog.list()
    path.write_text(text("Renamed"))
    assert catalog.list() is first
    clocks.seconds += 1.01
    second = catalog.list()
    assert second.entries[0].document.name == "Renamed"
    assert second.generation != first.generation


def test_a_file_added_while_the_clock_stood_still(root, clocks):
    clocks.offset = 0
    catalog = catalog_of(root, clock=clocks.monotonic, wall_clock=clocks.wall)
    for number in range(20):
        write(root, f"R{number}.md")
        clocks.seconds += 2
        assert len(catalog.list().entries) == number + 1


def test_a_listing_never_fails(root, catalog, tmp_path):
    write(root, "Good.md")
    os.mkfifo(root / "fifo.md")
    (root / "folder.md").mkdir()
    (root / "broken.md").symlink_to("gone.md")
    (root / "circle.md").symlink_to("circle.md")
    (root / "outside.md").symlink_to(write(tmp_path, "Outside.md"))
    (root / "up").symlink_to(tmp_path)
    (root / "null.md").symlink_to("/dev/null")
    (Path(os.fsdecode(os.fsencode(root) + b"/bad\xff.md"))).write_text("x")
    write(root, "line\nend.md")
    write(root, "back\\slash.md")
    assert listed(catalog.list()) == ["Good.md"]


def test_linked_folders(root, catalog):
    write(root, "a/One.md")
    (root / "b").symlink_to("a")
    (root / "a" / "again").symlink_to("../a")
    (root / "a" / "root").symlink_to("..")
    (root / "a" / "other").symlink_to("../c")
    write(root, "c/Two.md")
    (root / "c" / "back").symlink_to("../a")
    assert listed(catalog.list()) == [
        "a/One.md",
        "a/other/Two.md",
        "b/One.md",
        "b/other/Two.md",
        "c/Two.md",
        "c/back/One.md",
    ]


def test_a_folder_that_cannot_be_read_or_is_gone(root, catalog, monkeypatch):
    write(root, "Good.md")
    write(root, "closed/One.md")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert listed(catalog.list()) == ["Good.md"]
    root.rename(root.parent / "away")
    assert listed(catalog.list()) == []


def test_files_that_vanish_meanwhile(root, catalog, monkeypatch):
    write(root, "One.md")
    write(root, "Two.md")
    opened = loading.open_runbook

    def vanish(place: Place) -> int:
        (root / "One.md").unlink(missing_ok=True)
        return opened(place)

    monkeypatch.setattr(loading, "open_runbook", vanish)
    assert "One.md" not in listed(catalog.list())


def test_many_threads(root):
    catalog = catalog_of(root, cached_runbooks=3)
    paths = [write(root, f"R{number}.md") for number in range(6)]
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                for path in paths:
                    assert catalog.get(path.name).document.errors == ()
                assert len(catalog.list().entries) == 6
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        for path in paths:
            append(path, ENTRY)
    done.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert catalog.get("R0.md") == catalog_of(root).get("R0.md")


def test_a_readme_is_not_listed_but_can_be_read(root, catalog):
    (root / "net").mkdir()
    path = root / "net" / "README.md"
    path.write_text("# Our runbooks\n")
    before = {entry.ref for entry in catalog.list().entries}
    assert "net/README.md" not in before
    assert catalog.get("net/README.md").document.is_documentation
    assert catalog.content("net/README.md") == b"# Our runbooks\n"
