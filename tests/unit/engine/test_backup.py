"""Two backups to one name, and a backup that fails."""

import pytest

from runbook.engine.backup import Folders, back_up, unpack
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
