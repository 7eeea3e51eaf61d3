"""The database comes to this version, whole or not at all."""

import shutil
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from patience import PATIENCE_S
from runbook.errors import StoreNewerError, StoreUnavailableError
from runbook.store import migrate
from runbook.store.database import Database
from runbook.store.dialects.portable import Text
from runbook.store.migrate import Migration
from runbook.store.migrations import HEAD
from runbook.store.store import Store
from runbook.store.tables import locks, metadata, runs

LATER = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "later", "{head}"
def upgrade():
    op.add_column("runs", sa.Column("mood", sa.Text, server_default="calm"))
    {then}
"""


@pytest.fixture
def url(new_url):
    """Not one that is lent: these tests change more than rows."""
    store = Store(new_url)
    store.maintenance.migrate()
    store.close()
    return new_url


@pytest.fixture
def later(tmp_path):
    """Migrations that go one version further."""

    def make(then="pass"):
        folder = tmp_path / "migrations"
        shutil.copytree(migrate.MIGRATIONS, folder)
        (folder / "versions" / "later.py").write_text(LATER.format(head=HEAD, then=then))
        return folder

    return make


def columns(store):
    inspected = store._database.read(lambda c: sa.inspect(c).get_columns("runs"))
    return [column["name"] for column in inspected]


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_an_empty_database_becomes_what_the_tables_say(new_url):
    store = Store(new_url)
    store.maintenance.migrate()
    store.check()
    with store._database.engine().connect() as connection:
        options = {"compare_type": is_another_type, "include_name": is_portable}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    store.close()


def is_portable(name, _kind, _parents):
    """Whether it is described in `tables`, unlike the indexes of parts of texts."""
    return name is None or not name.startswith(("runs_reason", "ix_runs_reason", "ix_runs_id_end"))


def is_another_type(_context, _inspected, _column, found, wanted):
    """Alembic's own way takes a collation for another type; None leaves the rest to it."""
    return not isinstance(found, sa.Text) if isinstance(wanted, Text) else None


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_file_has_its_log_beside_it(store):
    with store._database.engine().connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_the_file_is_its_owners(tmp_path):
    path = tmp_path / "new.db"
    store = Store(f"sqlite:///{path}")
    store.maintenance.migrate()
    store.runbooks.reset_history("a.md", None)
    files = list(tmp_path.iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert len(files) == 3
    store.close()


def test_head_is_the_last_version():
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_at_head_alembic_is_not_even_imported(url):
    code = (
        "import sys; from runbook.store.store import Store; "
        f"Store({url!r}).maintenance.migrate(); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_populated_database_keeps_its_rows(helper, store, later):
    run = helper.ended()
    migrate.upgrade(store._database.dialect, head="later", migrations=later())
    assert columns(store)[-1] == "mood"
    assert store.runs.get(run.id) == run
    assert [event.n for event in store.events.after(run.id)] == [1, 2, 3]


def test_migrating_again_changes_nothing(helper, store):
    run = helper.queued()
    store.maintenance.migrate()
    migrate.upgrade(store._database.dialect)
    assert store.runs.get(run.id) == run


def test_a_migration_that_fails_leaves_the_old_version(helper, store, later):
    run = helper.queued()
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(store._database.dialect, head="later", migrations=later(then="1 / 0"))
    assert "mood" not in columns(store)
    store.check()
    assert store.runs.get(run.id) == run


@pytest.mark.parametrize("kind", ["postgresql"])
def test_one_migrates_a_server_while_others_wait(new_url):
    """The advisory lock is the transaction's: whoever dies gives it back."""
    store, holder = Store(new_url), Database(new_url)
    waiting = sa.text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with ThreadPoolExecutor(1) as pool, holder.engine().connect() as connection:
        with holder.dialect.migration(connection):
            done = pool.submit(store.maintenance.migrate)
            while not holder.read(lambda c: c.scalar(waiting)):
                assert not done.done()
            assert store.maintenance.pending() == Migration(None)
        assert done.result(PATIENCE_S) == Migration(None)
    assert store.maintenance.migrate() == Migration(HEAD)
    holder.close()
    store.close()


def test_a_newer_database_is_left_alone(new_url):
    store = Store(new_url)
    store.maintenance.migrate()
    newer = sa.text("UPDATE alembic_version SET version_num = '9999'")
    store._database.write(lambda c: c.execute(newer))
    for attempt in (store.maintenance.migrate, store.maintenance.pending, store.check):
        with pytest.raises(StoreNewerError) as refused:
            attempt()
        assert (refused.value.exit_code, refused.value.details["found"]) == (78, "9999")
    store.close()


LOCKED = """
INSERT INTO documents (digest, content, created_at) VALUES ('d', '', 1);
INSERT INTO runs (id, ref, name, digest, status, requester, subject, correlation_id, chain,
        created_at, timeout_s, inputs, errors, warnings, outputs, log_bytes, log_lines, last_event,
        waiting)
    VALUES ('w', 'a.md', 'A', 'd', 'waiting', '{}', 'ada', 'c', '[]', 1, 1, '{}', '[]', '[]', '{}',
        0, 0, 0, '{"lock": "a"}');
INSERT INTO runbooks (ref, revision) VALUES ('a.md', 7);
INSERT INTO locks (name, run_seq, taken_at) VALUES ('a', 4, 2), ('a', 5, 1), ('b', 5, 1);
"""


def test_what_held_and_waited_for_locks_before_there_were_places(new_url):
    store = Store(new_url)
    store._database.dialect.create()
    migrate.upgrade(store._database.dialect, head="0002")
    store._database.write(
        lambda c: [c.exec_driver_sql(text) for text in LOCKED.split(";") if text.strip()]
    )
    migrate.upgrade(store._database.dialect)
    store.check()

    def look(connection):
        places = connection.execute(sa.select(locks.c.name, locks.c.run_seq, locks.c.place))
        return connection.scalar(sa.select(runs.c.waiting_lock)), {tuple(row) for row in places}

    waits_for, places = store._database.read(look)
    assert waits_for == "a"
    assert places == {("a", 5, 0), ("a", 4, 1), ("b", 5, 0)}
    store.runbooks.reset_history("b.md", None)
    assert store.runbooks.last_runs().revision == 8
    store.close()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        Store(f"sqlite:///{tmp_path}/missing/new.db").maintenance.migrate()
