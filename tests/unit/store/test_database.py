"""Connections: which there may be, how long they wait, what they say when it does not work."""

import os
import shutil
import sqlite3
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from runbook.errors import (
    ConfigurationError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnavailableError,
)
from runbook.store.dialects.sqlite import url_for
from runbook.store.store import Store

of_a_file = pytest.mark.parametrize("kind", ["sqlite"])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://h/d",
        "postgresql+asyncpg://h/d",
        "postgresql://u:secret@h:port/d",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///",
    ],
)
def test_urls_that_are_refused(url):
    with pytest.raises(ConfigurationError, match="DATABASE_URL") as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_making_a_store_touches_nothing(tmp_path):
    Store(f"sqlite:///{tmp_path}/new.db")
    assert list(tmp_path.iterdir()) == []


def test_odd_characters_in_the_path(tmp_path):
    folder = tmp_path / "a b%20#1&é?x"
    folder.mkdir()
    store = Store(url_for(folder / "x.db"))
    store.maintenance.migrate()
    store.check()
    store.close()
    assert [path.name for path in folder.iterdir()] == ["x.db"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be opened"),
        (b"", "another version"),
        (b"this is no database at all" * 100, "damaged"),
    ],
)
def test_a_file_that_is_not_the_database(tmp_path, content, message):
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)
    store = Store(f"sqlite:///{path}")
    with pytest.raises(StoreUnavailableError, match=message) as caught:
        store.check()
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(StoreUnavailableError):
        store.runs.page()
    with pytest.raises(StoreUnavailableError):
        store.workers.remove("w")
    assert path.exists() == (content is not None)
    store.close()


@of_a_file
def test_a_full_disk_loses_nothing_that_was_there(helper, store, url):
    run = helper.queued()
    full = Store(url)
    sa.event.listen(full._database.engine(), "connect", lambda c, _: limit_to_its_size(c))
    with pytest.raises(StoreUnavailableError, match="disk is full"):
        full.runbooks.reset_history("x" * 10**6, None)
    assert full.runs.get(run.id) == run
    assert full.runbooks.last_runs().rows == ()
    full.runs.request_cancel(run.id, "ada")
    full.close()


def limit_to_its_size(connection):
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages}")


@of_a_file
class TestLocked:
    @pytest.fixture
    def locked(self, store):
        """Another program holds the write lock until it is told to let go."""
        other = sqlite3.connect(
            store._database.dialect.path, isolation_level=None, check_same_thread=False
        )
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.close()

    def test_a_write_waits_for_the_other(self, helper, store, locked):
        waiting = threading.Thread(target=helper.submit, args=[helper.new(id="x")])
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
        locked.execute("COMMIT")
        waiting.join()
        assert store.runs.get("x") is not None

    def test_but_not_for_ever(self, helper, store, locked):
        store._database._patience_s = 0.05
        with pytest.raises(StoreBusyError):
            helper.submit(helper.new(id="x"))
        locked.execute("COMMIT")
        assert store.runs.get("x") is None

    def test_a_transaction_has_the_lock_before_it_looks_at_anything(self, store, locked):
        store._database._patience_s = 0.05
        looked = []
        with pytest.raises(StoreBusyError):
            store._database.write(lambda _connection: looked.append(1))
        assert looked == []

    def test_threads_behind_a_waiting_write_give_up_too(self, helper, store):
        store._database._patience_s = 0.05
        lock = store._database._here().write_lock
        with lock, pytest.raises(StoreBusyError):
            helper.submit()

    def test_reads_do_not_wait(self, helper, store, locked):
        store._database._patience_s = 0
        assert store.runs.page().runs == ()
        assert store.runs.claim("w", root_slots=1) is None


def test_a_closed_store_opens_again(helper, store):
    run = helper.queued()
    store.close()
    store.close()
    assert store.runs.get(run.id) == run


class TestReadOnly:
    @pytest.fixture
    def reader(self, url):
        reader = Store(url, read_only=True)
        yield reader
        reader.close()

    def test_it_reads_and_does_not_write(self, helper, reader):
        run = helper.queued()
        reader.maintenance.migrate()
        assert reader.runs.get(run.id) == run
        with pytest.raises(StoreUnavailableError, match="read-only"):
            reader.runs.request_cancel(run.id, "ada")

    def test_a_database_of_another_version_is_not_migrated(self, tmp_path):
        (tmp_path / "empty.db").touch()
        reader = Store(f"sqlite:///{tmp_path}/empty.db", read_only=True)
        with pytest.raises(StoreUnavailableError, match="another version"):
            reader.maintenance.migrate()
        reader.close()

    @of_a_file
    def test_where_wal_files_cannot_be_made(self, helper, store, reader, monkeypatch):
        run = helper.queued()
        store.close()
        refuse_once(monkeypatch)
        assert reader.runs.get(run.id) == run
        assert not list(store._database.dialect.path.parent.glob("*-wal"))

    @of_a_file
    def test_but_not_without_what_a_wal_holds(self, helper, reader, monkeypatch):
        helper.queued()
        refuse_once(monkeypatch)
        with pytest.raises(StoreUnavailableError, match="cannot be opened"):
            reader.runs.page()


def refuse_once(monkeypatch):
    """The first connection fails as it does on a read-only mount."""
    from runbook.store.dialects import sqlite

    real = sqlite._open

    class Refused:
        def execute(self, _statement):
            raise sqlite3.OperationalError("unable to open database file")

        def close(self):
            pass

    def opened(path, options):
        return Refused() if options == "mode=ro" else real(path, options)

    monkeypatch.setattr(sqlite, "_open", opened)


@of_a_file
def test_a_file_that_grows_while_threads_look_at_it_is_not_cut_short(store, monkeypatch):
    dialect = store._database.dialect
    now = dialect.path.stat()
    before = SimpleNamespace(st_dev=now.st_dev, st_ino=now.st_ino, st_size=now.st_size - 4096)

    def look(connection):
        def slow_look(_path):
            monkeypatch.undo()
            dialect.check_file(connection)  # another thread's, which is faster and sees more
            return before

        dialect._size = before.st_size
        monkeypatch.setattr(os, "stat", slow_look)
        dialect.check_file(connection)
        return True

    assert store._database.write(look)


@pytest.fixture
def file_of(url):
    return Path(url.removeprefix("sqlite:///"))


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def replace(path):
    other = path.with_name("other.db")
    shutil.copy(path, other)
    other.replace(path)


@of_a_file
@pytest.mark.parametrize("harm", [cut, lambda path: os.truncate(path, 0), os.unlink, replace])
def test_nothing_is_accepted_by_a_file_that_others_have_harmed(store, helper, file_of, harm):
    run = helper.queued()
    harm(file_of)
    for ask in (helper.queued, lambda: store.runs.get(run.id), lambda: store.events.after(run.id)):
        with pytest.raises(StoreDamagedError):
            ask()


@of_a_file
def test_a_file_that_vacuum_made_smaller_is_fine(store, helper, file_of):
    for _ in range(20):
        helper.submit(helper.new(reason="x" * 50_000))
    connection = sqlite3.connect(file_of, isolation_level=None)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert store.runs.page().runs
    before = file_of.stat().st_size
    connection.execute("UPDATE runs SET reason = NULL")
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    assert file_of.stat().st_size < before
    assert store.runs.page().runs
    assert helper.queued()
