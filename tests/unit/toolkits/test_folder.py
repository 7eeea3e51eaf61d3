"""What is read of a toolkit's folder, and for how long it is kept."""

import os

import pytest

from runbook.toolkits import folder as folders
from runbook.toolkits.folder import ToolkitReader

MANIFEST = "slug: lab\nname: Lab\nversion: 1.0.0\n"
LONG_AGO_NS = 10**15


@pytest.fixture
def toolkit(tmp_path):
    (tmp_path / "toolkit.yaml").write_text(MANIFEST)
    (tmp_path / "lib.py").write_text("a = 1\n")
    return tmp_path


@pytest.fixture
def count(monkeypatch):
    """How often a digest was computed; files count as settled unless told otherwise."""
    made = []
    digest_of = folders.digest_of
    monkeypatch.setattr(folders, "digest_of", lambda it: made.append(it) or digest_of(it))
    monkeypatch.setattr(folders.Identity, "is_settled", lambda *_: True)
    return made


def test_a_digest_is_computed_again_only_after_a_change(toolkit, count):
    reader = ToolkitReader()
    first = reader.read(toolkit)
    assert reader.read(toolkit) == first
    assert len(count) == 1

    (toolkit / "lib.py").write_text("a = 2\n")
    os.utime(toolkit / "lib.py", ns=(LONG_AGO_NS, LONG_AGO_NS))
    changed = reader.read(toolkit)
    (toolkit / "more.py").write_text("")
    assert len({first.digest, changed.digest, reader.read(toolkit).digest}) == 3
    assert len(count) == 3


def test_what_has_just_been_written_is_read_again(toolkit, count, monkeypatch):
    monkeypatch.setattr(folders.Identity, "is_settled", lambda *_: False)
    reader = ToolkitReader()
    assert reader.read(toolkit) == reader.read(toolkit)
    assert len(count) == 2
