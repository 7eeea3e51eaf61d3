from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from patience import PATIENCE_S
from runbook.core.document import FileRequirement
from runbook.core.syntax.markdown import read_head
from runbook.errors import NotFoundError, SourceConflictError
from runbook.library.catalog import Catalog, Source

TEXT = (
    "# {name}\n\n# Environment Requirements\n\n```yaml\n```\n\n"
    "# File System Requirements\n\n```yaml\nInput:\n```\n\n"
    "# Script\n\n```sh\necho {name}\n```\n\n# History\n"
)


@dataclass
class Library:
    """Own runbooks, and two kits that can be switched on and off."""

    folder: Path
    off: set[str] = field(default_factory=set)

    def source(self, name: str, **options: bool) -> Source:
        return Source(
            self.folder / name, "" if name == "own" else f"{name}/", lambda: name not in self.off
        )

    def write(self, path: str, text: str = "") -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text or TEXT.format(name=path.replace("/", " ").removesuffix(".md")))
        return file

    def catalog(self) -> Catalog:
        return Catalog([self.source(name) for name in ("own", "kit", "net")], clock=lambda: 0.0)


@pytest.fixture
def library(tmp_path):
    made = Library(tmp_path / "sources")
    for name in ("own", "kit", "net"):
        made.write(f"{name}/Same.md")
        made.write(f"{name}/deep/Only {name}.md")
    return made


@pytest.fixture
def catalog(library):
    return library.catalog()


def refs(catalog: Catalog) -> list[str]:
    return [entry.ref for entry in catalog.list().entries]


OWN = ["Same.md", "deep/Only own.md"]
KIT = ["kit/Same.md", "kit/deep/Only kit.md"]
NET = ["net/Same.md", "net/deep/Only net.md"]


def test_all_sources_are_listed_with_their_prefix(catalog):
    assert refs(catalog) == sorted([*OWN, *KIT, *NET])


@pytest.mark.parametrize("ref", [*OWN, *KIT, *NET])
def test_a_ref_belongs_to_one_source(library, catalog, ref):
    path = library.folder / (ref if "/" in ref and ref[:4] in ("kit/", "net/") else f"own/{ref}")
    assert catalog.path(ref) == path
    assert catalog.content(ref) == path.read_bytes()
    assert catalog.get(ref).ref == ref
    assert catalog.get(ref).head == path.read_bytes()[: read_head(path.read_bytes()).head_bytes]


def test_a_search_looks_into_all_sources(catalog):
    assert [found.entry.ref for found in catalog.search("only")] == [OWN[1], KIT[1], NET[1]]
    assert [found.entry.ref for found in catalog.search("echo kit Same")] == ["kit/Same.md"]
    assert [found.entry.ref for found in catalog.search("net/same")] == ["net/Same.md"]


def test_a_disabled_source_is_gone_at_once(library, catalog):
    before = catalog.list()
    catalog.get("kit/Same.md")
    library.off.add("kit")
    assert refs(catalog) == sorted([*OWN, *NET])
    assert catalog.list().generation != before.generation
    assert [found.entry.ref for found in catalog.search("kit")] == []
    for asking in (catalog.get, catalog.content, catalog.path):
        with pytest.raises(NotFoundError) as error:
            asking("kit/Same.md")
        assert error.value.details == {"runbook": "kit/Same.md"}
    library.off.clear()
    assert catalog.list() == before
    assert catalog.get("kit/Same.md").document.name == "kit Same"


def test_with_the_others_disabled_all_is_as_with_one_source(library, catalog):
    library.off |= {"kit", "net"}
    alone = Catalog([library.source("own")])
    assert catalog.list() == alone.list()


def test_the_unprefixed_source_can_be_disabled(library, catalog):
    library.off.add("own")
    assert refs(catalog) == sorted([*KIT, *NET])
    with pytest.raises(NotFoundError):
        catalog.get("Same.md")


def test_processes_agree_on_the_generation(library, catalog):
    assert catalog.list().generation == library.catalog().list().generation
    library.write("net/New.md")
    assert catalog.list().generation == library.catalog().list().generation


def test_a_change_in_one_source_rescans_only_that_one(library, catalog, monkeypatch):
    before = catalog.list()
    walked: list[str] = []
    scandir = os.scandir

    def noting(path: str) -> object:
        walked.append(path)
        return scandir(path)

    library.write("net/deep/New.md")
    monkeypatch.setattr(os, "scandir", noting)
    after = catalog.list()
    assert "net/deep/New.md" in [entry.ref for entry in after.entries]
    assert after.generation != before.generation
    assert {path for path in walked if not path.startswith(str(library.folder / "net"))} == set()
    assert catalog.list() is after


def test_a_source_that_hangs_holds_up_no_other(library, catalog, monkeypatch):
    """As a network mount does whose server is away."""
    scandir, hanging, going_on = os.scandir, threading.Event(), threading.Event()

    def wait(path: str) -> object:
        if path.startswith(str(library.folder / "net")):
            hanging.set()
            going_on.wait()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", wait)
    listing = threading.Thread(target=catalog.list, daemon=True)
    listing.start()
    assert hanging.wait(PATIENCE_S)
    library.off.add("net")
    assert refs(catalog) == sorted([*OWN, *KIT])
    assert catalog.get("kit/Same.md").ref == "kit/Same.md"
    going_on.set()
    listing.join(PATIENCE_S)
    assert not listing.is_alive()


def test_a_source_without_its_folder_is_logged_once_and_the_others_stay(library, catalog, caplog):
    (library.folder / "net").rename(library.folder / "away")
    with caplog.at_level(logging.WARNING):
        assert refs(catalog) == sorted([*OWN, *KIT])
        assert refs(library.catalog()) == refs(catalog)
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert fields == [{"prefix": "net/", "reason": "No such file or directory"}] * 2
    with pytest.raises(NotFoundError):
        catalog.get("net/Same.md")
    (library.folder / "away").rename(library.folder / "net")
    assert refs(catalog) == sorted([*OWN, *KIT, *NET])


# -- which sources go together ------------------------------------------------------------------


def test_a_prefix_that_is_a_folder_of_the_own_runbooks_is_refused(library):
    library.write("own/kit/Mine.md")
    with pytest.raises(SourceConflictError) as error:
        library.catalog()
    assert (error.value.code, error.value.details) == ("source_conflict", {"prefix": "kit/"})
    library.off.add("kit")
    catalog = library.catalog()
    assert catalog.get("kit/Mine.md").ref == "kit/Mine.md"
    assert "kit/Mine.md" in refs(catalog)
    with pytest.raises(SourceConflictError):
        catalog.sources.check_free("kit/")
    catalog.sources.check_free("free/")


def test_a_folder_that_is_made_later_does_not_take_a_source_its_refs(library, catalog):
    library.write("own/kit/Mine.md")
    library.write("own/kit/Same.md", "# Mine\n")
    assert refs(catalog) == sorted([*OWN, *KIT, *NET])
    assert catalog.get("kit/Same.md").document.name == "kit Same"
    with pytest.raises(NotFoundError):
        catalog.get("kit/Mine.md")


@pytest.mark.parametrize("prefix", ["kit", "/", "../", "a/b/", ".kit/", "ki\nt/"])
def test_what_is_no_prefix(tmp_path, prefix):
    with pytest.raises(SourceConflictError):
        Catalog([Source(tmp_path), Source(tmp_path / "kit", prefix)])


def test_one_source_has_no_prefix_and_each_prefix_one_source(tmp_path):
    for prefixes in ([], ["", ""], ["kit/"], ["", "kit/", "kit/"]):
        with pytest.raises(SourceConflictError):
            Catalog([Source(tmp_path / str(n), text) for n, text in enumerate(prefixes)])


# -- nothing leaves its source ------------------------------------------------------------------


@pytest.mark.parametrize(
    "ref", ["kit/../own/Same.md", "kit/../Same.md", "./kit/Same.md", "net/../kit/Same.md", "kit/"]
)
def test_refs_that_climb(catalog, ref):
    for asking in (catalog.get, catalog.content, catalog.path):
        with pytest.raises(NotFoundError):
            asking(ref)


def test_a_link_into_another_source_is_not_followed(library, catalog):
    (library.folder / "kit" / "Link.md").symlink_to("../own/Same.md")
    (library.folder / "kit" / "folder").symlink_to("../net/deep")
    (library.folder / "kit" / "Inside.md").symlink_to("deep/Only kit.md")
    os.mkfifo(library.folder / "kit" / "Fifo.md")
    assert refs(catalog) == sorted([*OWN, *KIT, "kit/Inside.md", *NET])
    for ref in ("kit/Link.md", "kit/folder/Only net.md"):
        for asking in (catalog.get, catalog.content, catalog.path):
            with pytest.raises(NotFoundError):
                asking(ref)
    with pytest.raises(NotFoundError):
        catalog.get("kit/Fifo.md")


def test_input_files_lie_below_the_folder_of_the_own_source(library, catalog):
    library.write("own/own.txt", "own")
    library.write("kit/kit.txt", "kit")
    library.write("kit/deep/near.txt", "near")
    runbook = catalog.get(KIT[1]).document.runbook
    assert runbook is not None

    def codes(*paths: str) -> list[str]:
        files = tuple(FileRequirement(path, 1) for path in paths)
        asked = replace(runbook, files_in=files)
        return [problem.code for problem in catalog.check_inputs(KIT[1], asked)]

    assert codes("kit.txt", "near.txt") == []
    assert codes("own.txt") == ["input_file_missing"]
    assert codes("../../own/own.txt") == ["input_file_outside"]
    assert codes("kit/kit.txt") == ["input_file_missing"]
