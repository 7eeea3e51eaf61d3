"""What only a server can do to a store: be away, fall over, be busy, be shared by many."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy as sa

from runbook.core.events import EventType
from runbook.core.status import RunStatus
from runbook.errors import (
    ConfigurationError,
    RequestError,
    StoreBusyError,
    StoreEncodingError,
    StoreUnavailableError,
)
from runbook.store.dialects.portable import Turn, exclusively
from runbook.store.dialects.postgresql import _REASONS, MORE_CONNECTIONS, POOL_SIZE
from runbook.store.store import Store
from runbook.store.tables import locks, runs

SECRET = "not-to-be-seen"


@pytest.fixture
def kind():
    return "postgresql"


@pytest.fixture
def other(url):
    """A connection of somebody else, who is in a transaction."""
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def hasty(url):
    """A store that waits for nobody."""
    store = Store(url, patience_s=0.05)
    yield store
    store.close()


@pytest.fixture
def own(own_postgres, clock):
    """A migrated store of a server that the test may stop and start."""
    store = Store(own_postgres.url("postgres"), clock=clock)
    store.maintenance.migrate()
    yield store
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://ada:{SECRET}@db.test:5433/runs",
        f"postgresql://ada@/runs?host=db.test&port=5433&password={SECRET}",
    ],
)
def test_the_database_is_shown_without_its_password(url):
    shown = Store(url).maintenance.shown
    assert SECRET not in shown
    assert shown.startswith("postgresql://ada@db.test")
    assert shown.endswith("/runs")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_with_another_encoding_is_refused(own_postgres, encoding):
    with own_postgres.connected() as connection:
        connection.execute(
            f"CREATE DATABASE other TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
            " LOCALE_PROVIDER libc"
        )
    store = Store(own_postgres.url("other"))
    for use in (store.maintenance.migrate, store.check):
        with pytest.raises(StoreEncodingError, match=encoding) as caught:
            use()
        assert caught.value.exit_code == ConfigurationError.exit_code
    store.close()


def test_without_its_driver_the_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "runbook.store.dialects.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"\[postgres\]"):
        Store("postgresql+psycopg://h/d")


class TestAway:
    def test_a_server_that_does_not_answer(self):
        store = Store(f"postgresql+psycopg://ada:{SECRET}@127.0.0.1:1/runs")
        with pytest.raises(StoreUnavailableError, match="does not answer") as caught:
            store.check()
        assert SECRET not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)

    def test_a_server_that_comes_back_is_used_again(self, own, own_postgres, helper_of):
        helper = helper_of(own)
        run = helper.running()
        with ThreadPoolExecutor(3) as pool:  # so that the pool has several dead connections
            list(pool.map(lambda _: own.runs.get(run.id), range(30)))
        own_postgres.stop()
        with pytest.raises(StoreUnavailableError):
            own.runs.get(run.id)
        with pytest.raises(StoreUnavailableError):
            helper.finish(run.id)
        own_postgres.start()
        assert own.runs.get(run.id) == run
        assert helper.finish(run.id).status is RunStatus.SUCCEEDED

    def test_a_database_that_is_dropped_while_it_is_used(self, own_postgres):
        with own_postgres.database() as url:
            store = Store(url)
            store.maintenance.migrate()
            own_postgres._drop(store.maintenance.shown.rsplit("/", 1)[1])
            with pytest.raises(StoreUnavailableError) as caught:
                store.check()
            store.close()
        assert reason_of(caught) == "3D000"

    @pytest.mark.parametrize(
        ("spoil", "state"),
        [
            ("ALTER ROLE ada NOLOGIN", "28"),
            ("DROP ROLE ada", "28"),
            ("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC", "42501"),
        ],
    )
    def test_a_server_that_does_not_let_one_in_says_why(self, own_postgres, spoil, state):
        with own_postgres.connected() as connection:
            connection.execute("CREATE ROLE ada LOGIN")
            connection.execute(spoil)
        with pytest.raises(StoreUnavailableError) as caught:
            Store(own_postgres.url("postgres").replace("runbook@", "ada@")).check()
        assert reason_of(caught) == state

    def test_a_server_that_has_no_connection_left_is_busy(self, own_postgres):
        with own_postgres.connected() as connection:
            connection.execute("CREATE ROLE ada LOGIN CONNECTION LIMIT 0")
        with pytest.raises(StoreBusyError):
            Store(own_postgres.url("postgres").replace("runbook@", "ada@")).check()

    def test_a_write_that_finds_its_connection_closed_is_done_on_another(self, store, helper, url):
        run = helper.running()
        disconnect_all(url)
        assert store.events.append(run.id, [helper.event()], worker_id="w") == 3
        disconnect_all(url)
        assert len(store.events.after(run.id)) == 3


def reason_of(caught):
    """The beginning of the SQLSTATE whose reason an error gives."""
    return next((state for state, reason in _REASONS if reason == str(caught.value)), None)


def disconnect_all(url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class TestLostDuringCommit:
    """The one moment at which nobody knows what has happened."""

    @pytest.fixture
    def cut(self, store, url, monkeypatch):
        """Cut the next commit's connection, when the server has done it or before."""

        def plan(*, done, also=lambda: None):
            dialect = store._database.engine().dialect
            commit = dialect.do_commit

            def cut_once(connection):
                monkeypatch.setattr(dialect, "do_commit", commit)
                if done:
                    connection.commit()
                disconnect_all(url)
                also()
                connection.execute("SELECT 1")  # fails, as the answer to the commit would

            monkeypatch.setattr(dialect, "do_commit", cut_once)

        return plan

    @pytest.mark.parametrize("done", [True, False])
    def test_whatever_had_to_be_written_is_written_once(self, store, helper, cut, done):
        cut(done=done)
        run = helper.queued()
        cut(done=done)
        claimed = store.runs.claim("w", root_slots=1, expected=True)
        assert claimed.run.id == run.id
        cut(done=done)
        assert store.events.append(run.id, [helper.event()], worker_id="w") == 3
        cut(done=done)
        ended = helper.finish(run.id, worker_id="w")
        assert store.runs.get(run.id) == ended
        assert [event.n for event in store.events.after(run.id)] == [1, 2, 3, 4]

    def test_also_if_the_server_has_to_be_waited_for(self, store, helper, cut, monkeypatch):
        answered = []
        read = store._database.read

        def away_at_first(work):
            answered.append(len(answered) >= 2)
            if not answered[-1]:
                raise StoreUnavailableError
            return read(work)

        cut(done=True, also=lambda: monkeypatch.setattr(store._database, "read", away_at_first))
        run = helper.queued()
        assert answered == [False, False, True]
        monkeypatch.undo()
        assert store.runs.get(run.id) == run


class TestBusy:
    def test_a_row_that_somebody_changes_is_waited_for_but_not_for_ever(self, helper, hasty, other):
        run = helper.running()
        other.execute("SELECT FROM runs WHERE id = %s FOR UPDATE", [run.id])
        with pytest.raises(StoreBusyError):
            hasty.events.append(run.id, [helper.event()], worker_id="w")

    def test_so_is_a_turn(self, hasty, store):
        with store._database.engine().connect() as connection:
            connection.exec_driver_sql("BEGIN")
            exclusively(connection, Turn.AUDIT)
            with pytest.raises(StoreBusyError):
                hasty._database.write(lambda c: exclusively(c, Turn.AUDIT))
            hasty._database.write(lambda c: exclusively(c, Turn.QUEUE))
            connection.exec_driver_sql("ROLLBACK")

    def test_and_a_connection(self, hasty):
        free, taken = threading.Event(), threading.Barrier(POOL_SIZE + MORE_CONNECTIONS + 1)

        def keep(_connection):
            taken.wait()
            free.wait()

        with ThreadPoolExecutor(POOL_SIZE + MORE_CONNECTIONS) as pool:
            kept = [
                pool.submit(hasty._database.read, keep) for _ in range(POOL_SIZE + MORE_CONNECTIONS)
            ]
            taken.wait()
            with pytest.raises(StoreBusyError):
                hasty.runs.active()
            free.set()
            for one in kept:
                one.result()
        assert hasty.runs.active() == []

    def test_a_claim_passes_over_a_run_that_somebody_changes(self, helper, hasty, other):
        first, second = helper.queued(), helper.queued()
        other.execute("SELECT FROM runs WHERE id = %s FOR UPDATE", [first.id])
        assert hasty.runs.claim("w", root_slots=1).run.id == second.id
        assert hasty.runs.claim("w", root_slots=1) is None
        other.rollback()
        assert hasty.runs.claim("w", root_slots=1).run.id == first.id

    def test_a_deadlock_is_nobodys_fault(self, store, helper):
        first, second = helper.queued(), helper.queued()
        both, tried = threading.Barrier(2), []

        def change(one, other):
            def work(connection):
                connection.execute(sa.update(runs).where(runs.c.id == one).values(reason="x"))
                tried.append(one)
                if tried.count(one) == 1:
                    both.wait()
                connection.execute(sa.update(runs).where(runs.c.id == other).values(reason="x"))

            store._database.write(work)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(change, (first.id, second.id), (second.id, first.id)))
        assert len(tried) > 2
        assert {run.request.reason for run in store.runs.active()} == {"x"}


class TestMeanings:
    def test_a_database_that_nobody_prepared(self, new_url):
        store = Store(new_url)
        with pytest.raises(StoreUnavailableError, match="runbook db migrate"):
            store.runs.active()
        with pytest.raises(StoreUnavailableError, match="runbook db migrate"):
            store.check()
        store.close()

    def test_one_that_is_read_only(self, new_url):
        store = Store(new_url)
        store.maintenance.migrate()
        store.close()
        with psycopg.connect(new_url, autocommit=True) as connection:
            name = connection.info.dbname
            connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        with pytest.raises(StoreUnavailableError, match="read-only"):
            store.runbooks.reset_history("a.md", None)
        store.close()

    def test_a_user_who_may_not(self, new_url):
        store = Store(new_url)
        store.maintenance.migrate()
        store.close()
        with psycopg.connect(new_url, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS stranger")
            connection.execute("CREATE ROLE stranger LOGIN")
        stranger = Store(new_url.replace("runbook@", "stranger@"))
        with pytest.raises(StoreUnavailableError, match="permission"):
            stranger.runs.active()
        stranger.close()

    def test_a_number_that_is_too_large(self, store, helper):
        run = helper.running()
        with pytest.raises(RequestError):
            store.events.append(run.id, [helper.output("x", line=2**70)], worker_id="w")
        assert len(store.events.after(run.id)) == 2

    def test_a_text_with_a_nul_is_looked_for_in_vain(self, store, helper):
        helper.queued()
        assert store.runs.get("a\0") is None
        assert store.runs.last_outputs("\ud800") is None


def test_the_database_itself_refuses_a_second_holder(store, helper):
    run = helper.queued(locks=helper.locks("a"))
    store.runs.claim("w", root_slots=1)
    twice = {"name": "a", "run_seq": run.seq + 1, "taken_at": 1, "place": 0}
    with store._database.engine().begin() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.insert(locks), twice)


def test_events_are_bounded_before_they_are_sent(store, helper):
    run = helper.running()
    text = "x" * 1000
    pieces = [helper.output(text, offset=n * 1000) for n in range(20)]
    store.events.append(run.id, pieces, worker_id="w")
    found = store.events.after(run.id, n=2, max_bytes=2500)
    assert [event.n for event in found] == [3, 4]
    assert [event.n for event in store.events.after(run.id, n=2, max_bytes=1)] == [3]
    assert len(store.events.after(run.id)) == 22


def test_two_stores_of_one_database_claim_in_turn(store, url, helper):
    """As two hosts do: nothing in one process knows of the other."""
    another = Store(url)
    for number in range(10):
        helper.queued(locks=helper.locks(f"lock-{number % 2}"))
    for _ in range(5):
        claims = [one.runs.claim("w", root_slots=1) for one in (store, another, store)]
        assert [claim is not None for claim in claims] == [True, True, False]
        for claim in claims[:2]:
            helper.finish(claim.run.id)
    kinds = [event.type for run in store.runs.page().runs for event in store.events.after(run.id)]
    assert kinds.count(EventType.STARTED) == 10
    another.close()
