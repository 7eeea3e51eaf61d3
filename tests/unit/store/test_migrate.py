"""The database comes to this version, whole or not at all."""

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from runbook.errors import StoreUnavailableError
from runbook.store import migrate
from runbook.store.migrations import HEAD
from runbook.store.store import Store
from runbook.store.tables import metadata

LATER = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "later", "{head}"
def upgrade():
    op.add_column("runs", sa.Column("mood", sa.Text, server_default="calm"))
    {then}
"""


@pytest.fixture
def later(tmp_path):
    """Migrations that go one version further."""

    def make(then="pass"):
        folder = tmp_path / "migrations"
        shutil.copytree(migrate.MIGRATIONS, folder)
        (folder / "versions" / "later.py").write_text(LATER.format(head=HEAD, then=then))
        return folder

    return make


def columns(path):
    with closing(sqlite3.connect(path)) as connection:
        return [row[1] for row in connection.execute("PRAGMA table_info(runs)")]


def test_an_empty_database_becomes_what_the_tables_say(tmp_path):
    path = tmp_path / "new.db"
    store = Store(f"sqlite:///{path}")
    store.maintenance.migrate()
    store.check()
    store.close()
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


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
    path = store._database.path
    migrate.upgrade(path, head="later", migrations=later())
    assert columns(path)[-1] == "mood"
    assert store.runs.get(run.id) == run
    assert [event.n for event in store.events.after(run.id)] == [1, 2, 3]


def test_migrating_again_changes_nothing(helper, store):
    run = helper.queued()
    store.maintenance.migrate()
    migrate.upgrade(store._database.path)
    assert store.runs.get(run.id) == run


def test_a_migration_that_fails_leaves_the_old_version(helper, store, later):
    run = helper.queued()
    path = store._database.path
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(path, head="later", migrations=later(then="1 / 0"))
    assert "mood" not in columns(path)
    store.check()
    assert store.runs.get(run.id) == run


def test_a_newer_database_is_left_alone(store):
    with closing(sqlite3.connect(store._database.path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreUnavailableError, match="newer version"):
        store.maintenance.migrate()
    with pytest.raises(StoreUnavailableError, match="prepared"):
        store.check()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StoreUnavailableError, match="cannot be made"):
        Store(f"sqlite:///{tmp_path}/missing/new.db").maintenance.migrate()
