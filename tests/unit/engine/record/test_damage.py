"""Rows that something else has damaged, in every table: no row may stop the engine."""

import os
import sqlite3
from contextlib import closing

import psycopg
import pytest
import sqlalchemy as sa

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.process.run import Stop
from runbook.store.models import AuditFilter, RunFilter
from runbook.store.tables import metadata, quarantine, runs

ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)
LATER = 10**14

# What SQLite takes in any column. PostgreSQL only takes values of a column's type.
ANYTHING = ["x'fffe80'", "'{bad'", "'[]'", "'\"\\ud800\"'", "-5", "1e300", "''"]
JSON = ["'[]'", "'{}'", "'5'", "'\"\\ud800\"'", "'{\"a\": [1]}'", "'[{}]'", "'null'"]
TEXTS = ["''", "'no such word'"]
NUMBERS = ["-5", "2147483647"]
TABLES = [table.name for table in metadata.sorted_tables if table is not quarantine]


@pytest.fixture
def workshop(build, url):
    return build(DATABASE_URL=url)


@pytest.fixture
def bad(url):
    """Damages a column of all rows, or of some, in whatever way the database allows."""
    return Vandal(url)


class Vandal:
    def __init__(self, url):
        self._url = url
        self._is_sqlite = url.startswith("sqlite")

    def values(self, column):
        if self._is_sqlite:
            return ANYTHING
        if isinstance(column.type, sa.JSON):
            return JSON
        if isinstance(column.type, sa.LargeBinary):
            return ["'\\xfffe80'::bytea"]
        return NUMBERS if column.type.python_type in (int, float) else TEXTS

    def __call__(self, column, value, where=""):
        """False if the database doesn't take the value there."""
        statement = f"UPDATE {column.table.name} SET {column.name} = {value} {where}"
        if self._is_sqlite:
            with closing(sqlite3.connect(self._url.removeprefix("sqlite:///"))) as connection:
                try:
                    with connection:
                        connection.execute(statement)
                except sqlite3.Error:
                    return False
            return True
        with psycopg.connect(self._url) as connection:
            connection.execute("SET session_replication_role = replica")
            try:
                connection.execute(statement)
            except psycopg.Error:
                return False
        return True


def populate(workshop):
    """Runs in every state, with rows in every table."""
    workshop.write("Done", "echo out; echo a=b >> $RUNBOOK_OUTPUT")
    workshop.write("Next", "echo next", inputs="A:\n  description: a\n  type: string\n")
    workshop.write_steps("Steps", "## One\n\n```sh\ntrue\n```\n", policy="locks: one")
    for ref in ("Done.md", "Steps.md"):
        workshop.submit(ref)
        assert workshop.execute().success
    workshop.store.leases.take("task", "w", 1000)


def begin(workshop, key):
    """A run whose worker is gone, with a lock, and one that is queued."""
    workshop.register("w")
    workshop.register("gone", pid=2**22 + 1, beat_at=0)
    lost = workshop.submit("Steps.md")
    assert workshop.claim("gone").run.id == lost.id
    queued = workshop.submit("Next.md", env_vars={"A": "1"}, idempotency_key=key)
    return lost, queued


def use_everything(workshop):
    """What servers, workers and people do with a store."""
    engine, store = workshop.engine, workshop.store
    engine.reap()
    engine.end_forgotten("w", ())
    while (claimed := engine.workers.claim("w", root_slots=8, form_slots=1)) is not None:
        engine.execute(claimed, "w", Stop())
    assert store.runs.active() == []
    for run in engine.runs.page(ANN, RunFilter(), cursor=None, limit=200).runs:
        engine.runs.details(run, ANN)
        assert None not in engine.runs.follow(run.id, heartbeat_s=0.5)
        size = store.logs.size(run.id)
        store.logs.range(run.id, 0, size.bytes)
        store.logs.lines(run.id, 1, 100)
    store.runs.activity()
    store.runs.queue_stats()
    store.runbooks.last_runs()
    store.runs.last_outputs("Done.md")
    engine.audit_events(ANN, AuditFilter(), cursor=None, limit=100)
    store.audit.verify()
    store.leases.take("task", "w", 1000)
    store.leases.all()


def ends_a_new_run(workshop):
    run = workshop.submit("Done.md")
    claimed = workshop.engine.workers.claim("w", root_slots=8)
    assert claimed.run.id == run.id
    workshop.engine.execute(claimed, "w", Stop())
    return workshop.store.runs.get(run.id).status is RunStatus.SUCCEEDED


@pytest.mark.parametrize("table", TABLES)
def test_no_row_stops_the_engine(workshop, bad, table):
    populate(workshop)
    for damage in rounds(metadata.tables[table], bad):
        begin(workshop, str(damage))
        for column, value in damage:
            bad(column, value)
        use_everything(workshop)
        assert ends_a_new_run(workshop), damage
        workshop.store.maintenance.purge(LATER)


def rounds(table, bad):
    """What is damaged at once: four columns of `runs`, or all columns of another table.

    With RUNBOOK_ALL_DAMAGE=1, each column of each table with each value, which takes minutes.
    """
    columns = list(enumerate(table.columns))
    if "RUNBOOK_ALL_DAMAGE" in os.environ:
        return [[(column, value)] for _, column in columns for value in bad.values(column)]
    if table is runs:
        each = [(one, bad.values(one)[n % len(bad.values(one))]) for n, one in columns]
        return [each[first : first + 4] for first in range(0, len(each), 4)]
    return [
        [(one, bad.values(one)[(n + shift) % len(bad.values(one))]) for n, one in columns]
        for shift in range(3)
    ]


def test_a_damaged_run_is_set_aside_with_its_reason(workshop, bad):
    workshop.write("Next")
    run = workshop.submit("Next.md")
    other = workshop.submit("Next.md")
    assert bad(runs.c.requester, "'[]'", f"WHERE id = '{run.id}'")
    shown = workshop.store.runs.get(run.id)
    assert (shown.damage, shown.status) == (("requester",), RunStatus.QUEUED)
    assert workshop.execute().status is RunStatus.LOST
    assert workshop.execute().id == other.id
    ended = workshop.store.runs.get(run.id)
    assert (ended.status, ended.damage) == (RunStatus.LOST, ())
    assert [error.code for error in ended.result.errors] == ["run_damaged"]
    assert ended.result.errors[0].params["columns"] == "requester"
    assert [event.type for event in workshop.events(run)][-1] == "done"
    (kept,) = workshop.store.quarantine.all()
    assert (kept.run_id, kept.damage) == (run.id, {"requester": "[]"})


def test_a_run_that_cannot_be_ended_otherwise_is_ended_anyway(workshop, monkeypatch):
    workshop.write("Next")
    run = workshop.submit("Next.md")
    other = workshop.submit("Next.md")
    for _ in range(2):
        assert workshop.claim("gone") is not None
    end = workshop.engine.parts.ending.end

    def failing(ended, *args, **options):
        if ended.id == run.id:
            raise KeyError("subject")
        return end(ended, *args, **options)

    monkeypatch.setattr(workshop.engine.parts.ending, "end", failing)
    assert workshop.engine.reap() == 2
    found = [workshop.store.runs.get(one.id) for one in (run, other)]
    assert [one.status for one in found] == [RunStatus.LOST] * 2
    assert [one.result.errors[0].code for one in found] == ["run_damaged", "worker_died"]


def test_locks_that_only_damage_leaves_are_freed(workshop, bad):
    workshop.write_steps(
        "Steps", "## One\n\n```sh\ntrue\n```\n", policy="locks: one\non_busy: wait"
    )
    workshop.submit("Steps.md")
    workshop.claim()
    waiting = workshop.submit("Steps.md")
    assert workshop.claim() is None
    locks = metadata.tables["locks"]
    assert bad(locks.c.run_seq, "12345")
    workshop.engine.reap()
    assert workshop.claim().run.id == waiting.id
