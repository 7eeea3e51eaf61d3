"""Toolkit archives: twenty hostile ones, and good ones."""

import io
import stat
import struct
import zipfile

import pytest

from runbook.errors import ToolkitRefusedError
from runbook.toolkits import archive
from runbook.toolkits.archive import unpack

MANIFEST = ("toolkit.yaml", b"slug: a\n")


def zipped(*files, change=None):
    """An archive of (name, content) or (ZipInfo, content); `change` edits its bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files:
            made.writestr(name, content)
    data = buffer.getvalue()
    return io.BytesIO(change(data) if change else data)


def info(name, mode, *, system=3):
    made = zipfile.ZipInfo(name)
    made.external_attr = mode << 16
    made.create_system = system
    return made


def renamed(old, new):
    """Write another name of the same length: zipfile itself would clean it."""
    assert len(old) == len(new)
    return lambda data: data.replace(old, new)


def refusal(target, made):
    with pytest.raises(ToolkitRefusedError) as caught:
        unpack(made, target)
    return caught.value.details["reason"]


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (b"../up.md", "bad_name"),
        (b"a/../b.m", "bad_name"),
        (b"/etc/abc", "bad_name"),
        (b"C:\\abc.m", "bad_name"),
        (b"C:/abc.m", "bad_name"),
        (b"a\\..\\b.m"[:8], "bad_name"),
        (b"abc\x00.mdd", "bad_name"),
        (b"a\nbcd.md", "bad_name"),
        (b"a//bc.md", "bad_name"),
        (b"./abc.md", "bad_name"),
        (b".ssh/key", "bad_name"),
        (b"TOOLK.md", None),
    ],
)
def test_names_are_read_as_written(tmp_path, new, reason):
    made = zipped(MANIFEST, ("abcde.md", b"x"), change=renamed(b"abcde.md", new))
    if reason is None:
        unpack(made, tmp_path)
    else:
        assert refusal(tmp_path, made) == reason


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("link.md", stat.S_IFLNK | 0o777),
        ("pipe.md", stat.S_IFIFO | 0o644),
        ("disk.md", stat.S_IFBLK | 0o644),
        ("root.md", stat.S_IFREG | stat.S_ISUID | 0o755),
        ("group.md", stat.S_IFREG | stat.S_ISGID | 0o755),
        ("folder.md", stat.S_IFDIR | 0o755),
    ],
)
def test_only_plain_files(tmp_path, name, mode):
    assert refusal(tmp_path, zipped(MANIFEST, (info(name, mode), b"x"))) == "special_file"


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names",
    [
        ("Job.md", "Job.md"),
        ("Job.md", "job.md"),
        ("Stra\u00dfe.md", "STRASSE.md"),
        ("caf\u00e9.md", "cafe\u0301.md"),
        ("lib/a.py", "LIB/b.py"),
        ("lib", "lib/a.py"),
    ],
)
def test_names_that_some_file_system_takes_for_the_same(tmp_path, names):
    assert refusal(tmp_path, zipped(MANIFEST, *((name, b"x") for name in names))) == "duplicate"


def test_too_much(tmp_path, monkeypatch):
    flat = ("bomb.bin", bytes(2 * archive.RATIO_FROM))
    assert refusal(tmp_path, zipped(flat, MANIFEST)) == "bomb"
    monkeypatch.setattr(archive, "MOST_BYTES", 10)
    assert refusal(tmp_path, zipped(("long.md", b"12345678901"), MANIFEST)) == "too_large"
    monkeypatch.setattr(archive, "MOST_ENTRIES", 1)
    assert refusal(tmp_path, zipped(MANIFEST, ("one.md", b"x"))) == "too_many_files"


def overlapping(data):
    """Let the second entry of the directory be the first file's bytes."""
    second = data.rindex(b"PK\x01\x02")
    return data[: second + 42] + struct.pack("<L", 0) + data[second + 46 :]


def with_flag(data):
    """Say in the directory that the first file is encrypted."""
    first = data.index(b"PK\x01\x02")
    return data[: first + 8] + b"\x01" + data[first + 9 :]


def claiming(size):
    """Claim another unpacked size for the last file."""

    def change(data):
        last = data.rindex(b"PK\x01\x02")
        return data[: last + 24] + struct.pack("<L", size) + data[last + 28 :]

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (overlapping, "overlap"),
        (with_flag, "encrypted"),
        (claiming(1), "not_a_zip"),
        (claiming(100), "bad_size"),
        (lambda data: data[: len(data) // 2], "not_a_zip"),
        (lambda data: data.replace(b"hello", b"HELLO"), "not_a_zip"),
        (lambda _: b"", "not_a_zip"),
    ],
)
def test_archives_that_lie(tmp_path, change, reason):
    stored = zipfile.ZipInfo("stored.md")
    made = zipped(MANIFEST, (stored, b"hello"), change=change)
    assert refusal(tmp_path, made) == reason


def test_only_deflate(tmp_path):
    packed = zipfile.ZipInfo("packed.md")
    packed.compress_type = zipfile.ZIP_BZIP2
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("toolkit.yaml", b"")
        made.writestr(packed, b"x", zipfile.ZIP_BZIP2)
    assert refusal(tmp_path, buffer) == "compression"


def test_the_manifest_is_at_the_top_or_in_the_only_folder(tmp_path):
    unpack(
        zipped(("a/toolkit.yaml", b"slug: a\n"), ("a/lib/x.py", b"pass"), ("__MACOSX/a", b"")),
        tmp_path,
    )
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert files == ["lib", "lib/x.py", "toolkit.yaml"]
    assert refusal(tmp_path, zipped(("a/b/toolkit.yaml", b""))) == "no_manifest"
    assert refusal(tmp_path, zipped(("a/toolkit.yaml", b""), ("b.md", b""))) == "no_manifest"
