"""Toolkit archives: hostile ones (see `hostile_zips`), and good ones."""

import io

import pytest

from hostile_zips import HOSTILE, MANIFEST, named, zipped
from runbook.errors import ToolkitRefusedError
from runbook.toolkits import archive
from runbook.toolkits.archive import unpack

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")


def refusal(target, data):
    with pytest.raises(ToolkitRefusedError) as caught:
        unpack(io.BytesIO(data), target)
    return caught.value.details["reason"]


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_archives(tmp_path, what):
    make, reason = HOSTILE[what]
    target = tmp_path / "target"
    target.mkdir()
    assert refusal(target, make()) == reason
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_names_are_read_as_written(tmp_path):
    unpack(io.BytesIO(named(b"TOOLK.md")), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["TOOLK.md", "toolkit.yaml"]


def test_all_files_together_are_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_BYTES", 10)
    assert refusal(tmp_path, zipped(("long.md", b"12345678901"), MANIFEST)) == "too_large"


def test_the_manifest_is_at_the_top_or_in_the_only_folder(tmp_path):
    files = ("a/toolkit.yaml", b"slug: a\n"), ("a/lib/x.py", b"pass"), ("__MACOSX/a", b"")
    unpack(io.BytesIO(zipped(*files)), tmp_path)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert found == ["lib", "lib/x.py", "toolkit.yaml"]


def test_an_error_does_not_mislead_either(tmp_path):
    with pytest.raises(ToolkitRefusedError) as caught:
        unpack(io.BytesIO(zipped(MANIFEST, ("a\u202eb.md", b""))), tmp_path)
    assert caught.value.details["file"] == "a\ufffdb.md"
