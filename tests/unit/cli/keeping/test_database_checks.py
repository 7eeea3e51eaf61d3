"""What `runbook doctor` finds in a database."""

import sqlite3
from contextlib import closing

import psycopg
import pytest

from runbook.cli.keeping.database_checks import check_database
from runbook.cli.keeping.findings import State
from runbook.core.events import EventType
from runbook.core.run import Origin, Requester, RunbookVersion, RunRequest, RunTree
from runbook.core.status import RunStatus
from runbook.settings import Settings
from runbook.store.migrations import HEAD
from runbook.store.models import NewEvent, NewRun, StoredDocument
from runbook.store.store import Store


def execute(url, statement):
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
            connection.execute(statement)
    else:
        with psycopg.connect(url) as connection:
            connection.execute(statement)


@pytest.fixture
def findings(tmp_path):
    def of(url):
        settings = Settings.load({"DATABASE_URL": url, "DATA_DIR": str(tmp_path)})
        return {finding.name: finding for finding in check_database(settings)}

    return of


def test_an_empty_database_is_fine(new_url, findings):
    assert {name: found.state for name, found in findings(new_url).items()} == {
        "database": State.OK
    }


@pytest.mark.parametrize(
    ("version", "state", "advice"),
    [("0001", State.WARNING, "runbook db migrate"), ("9999", State.FAILED, "runbook version")],
)
def test_a_pending_migration_and_a_newer_database(new_url, findings, version, state, advice):
    with closing(Store(new_url)) as store:
        store.maintenance.migrate()
    execute(new_url, f"UPDATE alembic_version SET version_num = '{version}'")
    found = findings(new_url)["database"]
    assert (found.state, advice in found.advice, version in found.text) == (state, True, True)
    assert HEAD in found.text


def test_damaged_records_are_named(url, findings):
    with closing(Store(url)) as store:
        assert findings(url)["database: records"].state is State.OK
        document = StoredDocument("d" * 64, b"# A\n")
        new = NewRun(
            "run-1",
            RunbookVersion("A.md", "A", document.digest),
            RunStatus.QUEUED,
            Requester("ada", Origin.API),
            "c-1",
            RunTree(("A.md",)),
            RunRequest(),
        )
        store.runs.create(new, [NewEvent(1, EventType.QUEUED, data={})], document)
    execute(url, "UPDATE runs SET requester = '[]'")
    found = findings(url)["database: records"]
    assert found.state is State.WARNING
    assert "run-1 (requester)" in found.text
