"""Wake-ups of processes that share a database, but no folder."""

import selectors
import threading
import time

import psycopg
import pytest

from patience import PATIENCE_S
from runbook.engine.wakeups import ANY_RUN, CANCEL, QUEUED, Role, Wakeups
from runbook.store.store import Store


@pytest.fixture
def store(postgres_url):
    store = Store(postgres_url)
    yield store
    store.close()


@pytest.fixture
def on_host(store, tmp_path):
    """The wake-ups of a process of a role, on a host with this name."""
    made = []

    def make(host, role):
        made.append(Wakeups(tmp_path / host, role, store.notices))
        return made[-1]

    yield make
    for wakeups in made:
        wakeups.close()


def messages(worker, count):
    """The next messages: as many, in whatever pieces they come."""
    found = []
    with selectors.DefaultSelector() as selector:
        selector.register(worker.open(), selectors.EVENT_READ)
        while len(found) < count:
            assert selector.select(PATIENCE_S), found
            found += worker.drain()
    return found


@pytest.fixture
def worker(on_host):
    """A worker that listens: at first it is told to look at everything."""
    worker = on_host("here", Role.WORKER)
    assert messages(worker, 2) == [QUEUED, CANCEL]
    return worker


def test_a_worker_on_another_host_is_woken(on_host, worker):
    web = on_host("there", Role.FOLLOWER)
    web.wake_workers()
    web.wake_workers(CANCEL)
    assert messages(worker, 2) == [QUEUED, CANCEL]


def test_a_worker_on_the_same_host_is_woken_once(on_host, worker):
    web, elsewhere = on_host("here", Role.FOLLOWER), on_host("there", Role.FOLLOWER)
    web.wake_workers("near")
    web.wake_followers("nothing-for-workers")
    web.close()
    elsewhere.wake_workers("far")
    assert messages(worker, 2) == ["near", "far"]


def test_followers_on_another_host_hear_of_their_runs(on_host):
    web, worker = on_host("here", Role.FOLLOWER), on_host("there", Role.WORKER)
    with web.following("run-0") as begun:
        assert begun.wait(PATIENCE_S)  # it has just begun to listen
    with web.following("run-1") as mine, web.following("run-2") as other:
        worker.wake_followers("run-1")
        assert mine.wait(PATIENCE_S)
        assert not other.is_set()


def test_whoever_lost_its_connection_looks_at_everything(on_host, postgres_url, monkeypatch):
    monkeypatch.setattr("runbook.engine.broadcast.RECONNECT_SECONDS", 0.01)
    web = on_host("here", Role.FOLLOWER)
    with web.following(ANY_RUN) as news:
        assert news.wait(PATIENCE_S)
        news.clear()
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
        assert news.wait(PATIENCE_S)


def test_what_comes_at_once_goes_in_few_notices(on_host, worker, store, monkeypatch):
    web = on_host("there", Role.FOLLOWER)
    sent, go_on = [], threading.Event()
    send = store.notices.send

    def slowly(notice):
        sent.append(notice)
        go_on.wait(PATIENCE_S)
        send(notice)

    monkeypatch.setattr(store.notices, "send", slowly)
    for _ in range(8):
        web.wake_workers()
    go_on.set()
    assert messages(worker, 8) == [QUEUED] * 8
    assert len(sent) <= 2


def test_what_was_said_last_is_still_sent(on_host, worker):
    web = on_host("there", Role.FOLLOWER)
    web.wake_workers("last")
    web.close()
    assert messages(worker, 1) == ["last"]
    started = time.monotonic()
    worker.close()
    assert time.monotonic() - started < PATIENCE_S
