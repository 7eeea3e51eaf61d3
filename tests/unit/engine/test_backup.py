"""Two backups to one name, a backup that fails, and archives that are none of ours."""

import io
import tarfile

import pytest

from runbook.engine.backup import BackupError, Folders, back_up, unpack
from runbook.errors import ConflictError, StoreBusyError


@pytest.fixture
def make(workshop, tmp_path):
    folders = Folders(workshop.settings.data_dir)
    return lambda: back_up(workshop.store, folders, tmp_path / "a.tar", "1.0", 0)


def test_a_second_backup_to_the_same_name_is_refused_while_the_first_is_made(
    workshop, tmp_path, monkeypatch, make
):
    copy = type(workshop.store.maintenance).backup

    def slow(maintenance, path):
        monkeypatch.undo()
        with pytest.raises(ConflictError):
            make()
        copy(maintenance, path)

    monkeypatch.setattr(type(workshop.store.maintenance), "backup", slow)
    made = make()
    assert unpack(tmp_path / "a.tar", tmp_path / "unpacked").made_at == made.made_at


def test_a_backup_that_fails_leaves_nothing_behind(workshop, tmp_path, monkeypatch, make):
    def busy(*_args):
        raise StoreBusyError

    before = set(tmp_path.iterdir())
    monkeypatch.setattr(type(workshop.store.maintenance), "backup", busy)
    with pytest.raises(StoreBusyError):
        make()
    assert set(tmp_path.iterdir()) == before


def link(kind, target):
    member = tarfile.TarInfo("link")
    member.type, member.linkname = kind, target
    return [(member, b"")]


def file(name):
    member = tarfile.TarInfo(name)
    member.size = 4
    return [(member, b"evil")]


@pytest.mark.parametrize(
    "members",
    [
        file("../outside"),
        file("/outside"),
        link(tarfile.SYMTYPE, ".."),
        link(tarfile.SYMTYPE, "..") + file("link/outside"),
        link(tarfile.LNKTYPE, "manifest.json"),
        link(tarfile.CHRTYPE, ""),
        link(tarfile.FIFOTYPE, ""),
        file("twice") + file("twice"),
    ],
)
def test_an_archive_with_other_things_than_files_is_refused(tmp_path, members):
    inside = tmp_path / "inside"
    inside.mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))

    with pytest.raises(BackupError):
        unpack(tmp_path / "a.tar", inside)

    assert {path.name for path in tmp_path.iterdir()} == {"a.tar", "inside"}
    assert all(path.is_file() and not path.is_symlink() for path in inside.iterdir())
