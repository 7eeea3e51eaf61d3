"""A store moves to another database, whole or not at all."""

import os
import signal
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from runbook.errors import ActiveRunsError, ConflictError, CopyDiffersError, StoreUnavailableError
from runbook.store import copying
from runbook.store.copying import TABLES, copy
from runbook.store.database import Database
from runbook.store.models import Worker, WorkerKind
from runbook.store.salvage import Fate
from runbook.store.store import Store
from runbook.store.tables import documents, events, leases, metadata, runs, workers

WORKER = Worker("w", WorkerKind.LOCAL, "h", "b", 1, 1, 1, 1, 1)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """A database that nobody has prepared, of each kind: with `kind`, all directions."""
    with new_database(request, tmp_path) as url, closing(Database(url)) as database:
        yield database


@contextmanager
def new_database(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/target.db"
    else:
        with request.getfixturevalue("postgres").database() as url:
            yield url


def rows(database, table):
    statement = sa.select(table).order_by(*table.primary_key.columns)
    return database.read(lambda c: [tuple(row) for row in c.execute(statement)])


def counts(database):
    return {
        table.name: database.read(
            lambda c, t=table: c.scalar(sa.select(sa.func.count()).select_from(t))
        )
        for table in metadata.sorted_tables
    }


def test_all_but_processes_is_copied(helper, store, empty):
    helper.ended()
    helper.queued(reason="é\u2028\U0001f600", inputs={"b": None, "a": "\0"})
    store.workers.register(WORKER)
    store.leases.take("purge", "w", 1000)
    source = store._database
    copied = copy(source, empty, with_active=True)
    assert {table.name for table in TABLES} == set(metadata.tables) - {"leases", "workers"}
    for table in TABLES:
        assert rows(empty, table) == rows(source, table), table.name
    assert [rows(empty, table) for table in (workers, leases)] == [[], []]
    assert copied.active == {"queued": 1}
    assert {item.name: item.rows for item in copied.tables}["runs"] == 2


def test_many_rows_go_in_small_parts_in_the_order_of_their_keys(helper, store, empty, monkeypatch):
    monkeypatch.setattr(copying, "_AT_ONCE", 3)
    for n in range(4):
        run = helper.running(ref=f"{n}Ää.md")
        store.events.append(run.id, [helper.event(data={"n": n})] * 5, worker_id="w")
        helper.finish(run.id)
    sizes = {}
    insert = copying._Tally.add
    monkeypatch.setattr(
        copying._Tally, "add", lambda t, r: (sizes.setdefault(len(r)), insert(t, r))[1]
    )
    copy(store._database, empty)
    assert max(sizes) == 3
    assert rows(empty, events) == rows(store._database, events)


def test_purged_numbers_do_not_come_back(helper, store, empty, helper_of):
    gone = helper.ended()
    store.maintenance.purge(helper.clock.now + 1)
    copy(store._database, empty)
    other = Store(empty_url(empty), clock=helper.clock)
    assert helper_of(other).queued().seq == gone.seq + 1
    other.close()


def empty_url(database):
    dialect = database.dialect
    if dialect.is_embedded:
        return dialect.shown
    return dialect._url.render_as_string(hide_password=False)


def test_an_installation_without_runs(store, empty):
    assert {item.rows for item in copy(store._database, empty).tables} == {0}


def test_active_runs_are_refused_and_nothing_is_copied(helper, store, empty):
    helper.running()
    helper.queued()
    with pytest.raises(ActiveRunsError) as refused:
        copy(store._database, empty)
    assert refused.value.details == {"queued": 1, "running": 1}
    assert set(counts(empty).values()) == {0}


@pytest.mark.parametrize("table", ["workers", "documents"])
def test_a_database_with_anything_in_it_is_left_alone(helper, store, empty, table):
    other = Store(empty_url(empty))
    other.maintenance.migrate()
    if table == "workers":
        other.workers.register(WORKER)
    else:
        row = {"digest": "d", "content": b"", "created_at": 1}
        other._database.write(lambda c: c.execute(sa.insert(documents), row))
    before = counts(empty)
    helper.ended()
    with pytest.raises(ConflictError) as refused:
        copy(store._database, empty)
    assert refused.value.details == {"table": table}
    assert counts(empty) == before
    other.close()


def test_an_older_source_is_refused(store, empty):
    older = sa.text("UPDATE alembic_version SET version_num = '0001'")
    newest = sa.text("UPDATE alembic_version SET version_num = :head")
    head = store.maintenance.state().version
    store._database.write(lambda c: c.execute(older))
    try:
        with pytest.raises(StoreUnavailableError, match="runbook db migrate"):
            copy(store._database, empty)
        assert store.maintenance.pending().before == "0001"
    finally:
        store._database.write(lambda c: c.execute(newest, {"head": head}))


def test_a_copy_that_differs_is_undone(helper, store, empty, monkeypatch):
    helper.ended()
    batches = copying._batches

    def short(database, connection, table):
        found = batches(database, connection, table)
        return [] if (database, table) == (empty, runs) else found

    monkeypatch.setattr(copying, "_batches", short)
    with pytest.raises(CopyDiffersError) as found:
        copy(store._database, empty)
    assert found.value.details == {"table": "runs"}
    monkeypatch.undo()
    assert set(counts(empty).values()) == {0}


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_copy_that_is_killed_leaves_nothing_and_may_be_repeated(helper, store, empty):
    helper.ended()
    store.close()
    child = os.fork()
    if child == 0:
        kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
        copying.words.last_run_number = kill
        copy(store._database, empty)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert set(counts(empty).values()) == {0}
    copy(store._database, empty)
    assert rows(empty, runs) == rows(store._database, runs)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_texts_with_nul_are_copied_as_postgresql_takes_them(helper, store, empty):
    run = helper.ended()
    older = sa.update(runs).values(reason="a\0b")
    store._database.write(lambda c: c.execute(older))
    copied = copy(store._database, empty)
    assert {item.name: item.replaced for item in copied.tables if item.replaced} == {"runs": 1}
    other = Store(empty_url(empty))
    assert other.runs.get(run.id).request == replace(run.request, reason="a?b")
    other.close()


DAMAGE = """
UPDATE runs SET requester = '{"sub', warnings = 'null', errors = x'ff00' WHERE seq = 1;
UPDATE runs SET return_code = 'many', created_at = 'once' WHERE seq = 1;
UPDATE runs SET return_code = 5000000000, reason = x'ff41' WHERE seq = 2;
UPDATE runs SET timeout_s = 'long', outputs = '{"a": NaN}', inputs = '[1e999]' WHERE seq = 2;
UPDATE events SET data = '{' WHERE key = (SELECT max(key) FROM events);
UPDATE documents SET digest = 'another';
INSERT INTO steps SELECT 'x', 1, 'n', 's', 1, 1, 1, 1, 1, 1, '{}', '{}';
"""


@pytest.mark.parametrize("kind", ["sqlite"])
def test_damaged_rows_are_copied_as_far_as_they_go_and_named(helper, store, empty):
    run = helper.ended()
    helper.ended()
    last = max(column(store, events.c.key))
    with closing(sqlite3.connect(empty_url(store._database).removeprefix("sqlite:///"))) as broken:
        broken.executescript(DAMAGE)
    copied = copy(store._database, empty)
    found = {(row.table, row.key, frozenset(row.columns), row.fate) for row in copied.damaged}
    assert found == {
        (
            "runs",
            ("1",),
            frozenset({"requester", "warnings", "errors", "return_code", "created_at"}),
            Fate.REPLACED,
        ),
        (
            "runs",
            ("2",),
            frozenset({"return_code", "reason", "timeout_s", "outputs", "inputs"}),
            Fate.REPLACED,
        ),
        ("events", (str(last),), frozenset({"data"}), Fate.REPLACED),
        ("steps", ("x", "1"), frozenset({"run_seq"}), Fate.SKIPPED),
        ("documents", (run.runbook.digest,), frozenset(), Fate.ADDED),
    }
    with closing(Store(empty_url(empty))) as other:
        assert column(other, runs.c.requester)[0] == '{"sub'
        assert column(other, runs.c.reason)[1] == "\ufffdA"
        assert len(column(other, events.c.key)) == len(column(store, events.c.key))
        assert other.documents.get(run.runbook.digest).content == b""
        assert codes(other.runs.get(run.id)) == codes(store.runs.get(run.id))


def codes(run):
    return [problem.code for problem in (*run.result.errors, *run.result.warnings)]


def column(store, wanted):
    return store._database.read(lambda c: list(c.scalars(sa.select(wanted))))


def test_only_so_many_damaged_rows_are_named(helper, store, empty, monkeypatch):
    monkeypatch.setattr("runbook.store.salvage.NAMED", 2)
    for _ in range(3):
        helper.ended()
    store._database.write(lambda c: c.execute(sa.text("UPDATE runs SET warnings = 'null'")))
    copied = copy(store._database, empty)
    assert len(copied.damaged) == 2
    assert {item.name: item.damaged for item in copied.tables if item.damaged} == {"runs": 3}


def test_what_is_written_meanwhile_is_not_copied(helper, store, empty, monkeypatch):
    """The copy is of one moment, and the store can be used during it."""
    first = helper.ended()
    check = copying._check_empty

    def check_and_write(connection):
        check(connection)
        helper.ended()

    monkeypatch.setattr(copying, "_check_empty", check_and_write)
    copy(store._database, empty)
    assert [row[1] for row in rows(empty, runs)] == [first.id]
    assert len(rows(store._database, runs)) == 2


def test_errors_name_the_database_and_no_password(store):
    for url in (
        "postgresql+psycopg://ada:hunter2@127.0.0.1:1/lost",
        "sqlite:////nowhere/at/all.db",
    ):
        with closing(Database(url)) as lost, pytest.raises(StoreUnavailableError) as found:
            copy(store._database, lost)
        assert lost.dialect.shown in found.value.message
        assert "hunter2" not in str(found.value)
        assert "DATABASE_URL" not in found.value.message
