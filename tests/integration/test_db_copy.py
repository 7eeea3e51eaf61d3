"""`runbook db copy`: an installation answers the same from its other database."""

import shutil
import sqlite3
import stat
import time
from contextlib import closing

import pytest

from installation import Generator, Installation
from runbook.errors import (
    ConfigurationError,
    ConflictError,
    DamagedRecordError,
    StoreNewerError,
    StoreUnavailableError,
)
from runbook.host.identity import process_identity
from runbook.store.dialects import dialect_of
from runbook.store.migrate import upgrade
from runbook.store.migrations import HEAD
from runbook.store.models import Worker, WorkerKind
from runbook.store.store import Store

RUNS = 200


@pytest.fixture
def original(tmp_path):
    url = f"sqlite:///{tmp_path}/first/runbook.db"
    return Installation(tmp_path / "first", url).prepare().fill(RUNS)


def test_an_installation_moves_to_postgresql_and_back(original, postgres, tmp_path):
    with postgres.database() as url:
        code, there = original.ask("db", "copy", original.url, url)
        assert (code, there["success"], there["active_runs"]) == (0, True, {})
        second = original.beside(tmp_path / "second", url)
        expected = original.answers()
        assert second.answers() == expected

        back = f"sqlite:///{tmp_path}/back.db"
        code, again = original.ask("db", "copy", url, back)
        assert (code, again["tables"]) == (0, there["tables"])
        third = original.beside(tmp_path / "third", back)
        assert third.answers() == expected

        assert original.reruns() == second.reruns() == third.reruns()


@pytest.fixture
def small(tmp_path):
    """An installation that has a database and nothing in it."""
    path = tmp_path / "small" / "runbook.db"
    installation = Installation(tmp_path / "small", f"sqlite:///{path}").prepare()
    with installation.store() as store:
        store.maintenance.migrate()
    return installation


def copied(installation, source, target, *words):
    return installation.said("db", "copy", source, target, *words)


def test_workers_that_are_alive_refuse_a_copy_unless_forced(small, tmp_path):
    now = time.time_ns() // 1_000_000
    with small.store() as store:
        store.workers.register(
            Worker("w", WorkerKind.LOCAL, **process_identity(), slots=1, started_at=1, beat_at=now)
        )
    target = f"sqlite:///{tmp_path}/target.db"
    refused = copied(small, small.url, target)
    assert refused.exit_code == ConflictError.exit_code
    assert "--force" in refused.stderr
    assert not (tmp_path / "target.db").exists()
    forced = copied(small, small.url, target, "--force")
    assert forced.exit_code == 0
    assert f"{small.home}/data/keys" in forced.stderr


def test_a_dead_worker_refuses_nothing(small, tmp_path):
    with small.store() as store:
        store.workers.register(Worker("w", WorkerKind.REMOTE, "h", "b", 1, 1, 1, 1, 1))
    assert copied(small, small.url, f"sqlite:///{tmp_path}/target.db").exit_code == 0


def test_active_runs_refuse_a_copy_unless_forced(small, tmp_path):
    with small.store() as store:
        Generator(store).queued("q")
    target = f"sqlite:///{tmp_path}/target.db"
    refused = copied(small, small.url, target)
    assert refused.exit_code == ConflictError.exit_code
    assert "queued" in refused.stderr
    assert "--force" in refused.stderr
    code, answer = small.ask("db", "copy", small.url, target, "--force")
    assert (code, answer["active_runs"]) == (0, {"queued": 1})


def test_a_copy_of_damaged_rows_names_them_and_is_made(small, tmp_path):
    with small.store() as store:
        Generator(store).queued("q")
    with closing(sqlite3.connect(small.home / "runbook.db")) as connection, connection:
        connection.execute("UPDATE runs SET warnings = '{'")
    target = f"sqlite:///{tmp_path}/target.db"
    code, answer = small.ask("db", "copy", small.url, target, "--force")
    assert (code, answer["success"]) == (DamagedRecordError.exit_code, False)
    assert answer["damaged"] == [
        {"table": "runs", "key": ["1"], "columns": ["warnings"], "fate": "replaced"}
    ]
    again = copied(small, target, f"sqlite:///{tmp_path}/again.db", "--force")
    assert again.exit_code == 0


def test_a_copy_says_what_to_do_about_its_databases(small, tmp_path):
    older = tmp_path / "older.db"
    shutil.copy(small.home / "runbook.db", older)
    with closing(sqlite3.connect(older)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    target = f"sqlite:///{tmp_path}/target.db"
    missing = tmp_path / "missing.db"
    for source, advice in ((older, "runbook db migrate"), (missing, "FROM_URL")):
        refused = copied(small, f"sqlite:///{source}", target)
        assert refused.exit_code == StoreUnavailableError.exit_code
        assert advice in refused.stderr
    assert not missing.exists()
    assert copied(small, small.url, small.url).exit_code == 2
    unknown = copied(small, small.url, "mysql://ada:hunter2@h/d")
    assert unknown.exit_code == ConfigurationError.exit_code
    assert "TO_URL" in unknown.stderr
    lost = copied(small, small.url, "postgresql+psycopg://ada:hunter2@127.0.0.1:1/lost")
    assert lost.exit_code == StoreUnavailableError.exit_code
    assert "postgresql://ada@127.0.0.1:1/lost" in lost.stderr
    assert "hunter2" not in unknown.stderr + lost.stderr + lost.stdout


def test_migrate_says_what_it_did(tmp_path):
    fresh = Installation(tmp_path / "fresh", f"sqlite:///{tmp_path}/fresh.db").prepare()
    pending = fresh.said("db", "migrate", "--check")
    assert pending.exit_code == 1
    assert not (tmp_path / "fresh.db").exists()
    assert HEAD in fresh.said("db", "migrate").stdout
    assert fresh.said("db", "migrate", "--check").exit_code == 0
    with closing(sqlite3.connect(tmp_path / "fresh.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    newer = fresh.said("db", "migrate", "--check")
    assert newer.exit_code == StoreNewerError.exit_code


def test_a_pending_migration_is_seen_by_check_and_by_doctor(small):
    dialect = dialect_of(small.url)
    dialect.path.unlink()
    dialect.create()
    upgrade(dialect, head="0005")
    checked = small.said("db", "migrate", "--check")
    assert checked.exit_code == 1
    assert "0005" in checked.stdout
    findings = {item["name"]: item for item in small.ask("doctor")[1]["findings"]}
    assert findings["database"]["state"] == "warning"
    assert "0005" in findings["database"]["text"]
    done = small.said("db", "migrate")
    assert done.exit_code == 0
    assert "0005" in done.stdout
    assert HEAD in done.stdout


def test_the_commands_work_with_postgresql(small, postgres, tmp_path):
    with postgres.database() as url:
        small.url = url
        assert small.said("db", "migrate", "--check").exit_code == 1
        assert small.said("db", "migrate").exit_code == 0
        assert small.said("db", "migrate", "--check").exit_code == 0
        with small.store() as store:
            Generator(store).queued("q")
        backup = tmp_path / "backup.db"
        assert small.said("db", "backup", str(backup)).exit_code == 0
        assert stat.S_IMODE(backup.stat().st_mode) == 0o600
        assert small.ask("db", "purge", "--yes")[0] == 0
        findings = {item["name"]: item for item in small.ask("doctor")[1]["findings"]}
        assert findings["database"]["state"] == "ok"
        assert "postgresql://" in findings["database"]["text"]
    with closing(Store(f"sqlite:///{backup}")) as store:
        assert [run.id for run in store.runs.page().runs] == ["q"]
    assert sorted(path.name for path in tmp_path.glob("*backup*")) == ["backup.db"]
