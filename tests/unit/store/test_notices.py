"""Messages between processes that share a database."""

import select

import psycopg
import pytest

from patience import PATIENCE_S
from runbook.errors import StoreUnavailableError
from runbook.store.dialects import postgresql
from runbook.store.store import Store


@pytest.fixture
def kind():
    return "postgresql"


def next_heard(listener):
    assert select.select([listener], [], [], PATIENCE_S)[0]
    return listener.heard()


def test_what_is_sent_is_heard_by_all_who_listen(store, url):
    other = Store(url)
    with store.notices.listening() as here, other.notices.listening() as there:
        other.notices.send("one\ntwo")
        assert next_heard(here) == next_heard(there) == ["one\ntwo"]
        assert here.heard() == []
    other.close()


def test_nobody_hears_what_was_sent_before(store):
    store.notices.send("early")
    with store.notices.listening() as listener:
        store.notices.send("late")
        assert next_heard(listener) == ["late"]


def test_a_listener_that_lost_its_connection_says_so(store, url):
    with pytest.raises(StoreUnavailableError), store.notices.listening() as listener:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
        while True:
            next_heard(listener)
    store.notices.send("nobody minds")


def test_whether_they_arrive(store, monkeypatch):
    assert store.notices.arrive(PATIENCE_S)
    # As behind a pooler: it gives the connection that listens to somebody else.
    monkeypatch.setattr(postgresql, "_CHANNEL", "elsewhere")
    assert not store.notices.arrive(0.1)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_file_passes_none(store):
    assert not store.notices.pass_through
    store.notices.send("to nobody")
