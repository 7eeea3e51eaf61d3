"""The file of SQLite."""

import os
import stat
import threading

import pytest

from runbook.store.dialects import sqlite
from runbook.store.migrations import HEAD
from runbook.store.store import Store


@pytest.fixture
def template(tmp_path, sqlite_template, monkeypatch):
    """A migrated empty database, as images have."""
    store, file = Store(f"sqlite:///{sqlite_template}"), tmp_path / "empty.db"
    store.maintenance.backup(file)
    store.close()
    monkeypatch.setattr(sqlite, "TEMPLATE", file)
    return file


@pytest.fixture
def store(tmp_path):
    (tmp_path / "data").mkdir()
    made = Store(f"sqlite:///{tmp_path}/data/runbook.db")
    yield made
    made.close()


def test_a_new_database_is_a_copy_of_the_template(template, store, tmp_path):
    migration = store.maintenance.migrate()
    assert (migration.before, migration.after) == (HEAD, HEAD)
    store.check()
    file = tmp_path / "data/runbook.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in file.parent.iterdir()} <= {
        file.name,
        f"{file.name}-wal",
        f"{file.name}-shm",
    }


def test_an_existing_file_stays(template, store, tmp_path):
    file = tmp_path / "data/runbook.db"
    file.touch()
    inode = file.stat().st_ino
    assert store.maintenance.migrate().before is None
    assert store.maintenance.migrate().before == HEAD
    assert file.stat().st_ino == inode


@pytest.mark.parametrize("links", [False, True])
def test_without_hard_links_or_a_template_it_is_migrated(template, store, monkeypatch, links):
    if links:
        template.unlink()
    else:

        def refuse(*_):
            raise PermissionError

        monkeypatch.setattr(os, "link", refuse)
    migration = store.maintenance.migrate()
    assert (migration.before, migration.after) == (None, HEAD)


def test_several_at_once_have_one_database(template, tmp_path):
    (tmp_path / "data").mkdir()
    stores = [Store(f"sqlite:///{tmp_path}/data/runbook.db") for _ in range(4)]
    threads = [threading.Thread(target=store.maintenance.migrate) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.check()
        store.close()
    assert not list((tmp_path / "data").glob(".*"))
