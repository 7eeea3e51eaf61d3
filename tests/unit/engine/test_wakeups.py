import os
import selectors

import pytest

from patience import PATIENCE_S
from runbook.engine.wakeups import ANY_RUN, Role, Wakeups


@pytest.fixture
def folder(tmp_path):
    # A socket's path holds 107 bytes: a deep DATA_DIR must work all the same.
    return tmp_path / ("deep" * 30) / "wake"


@pytest.fixture
def worker(folder):
    wakeups = Wakeups(folder, Role.WORKER)
    wakeups.open()
    yield wakeups
    wakeups.close()


@pytest.fixture
def web(folder):
    wakeups = Wakeups(folder, Role.FOLLOWER)
    yield wakeups
    wakeups.close()


def readable(wakeups):
    with selectors.DefaultSelector() as selector:
        selector.register(wakeups.open(), selectors.EVENT_READ)
        return bool(selector.select(PATIENCE_S))


def test_a_worker_is_woken(worker, web):
    web.wake_workers("queued")

    assert readable(worker)
    assert worker.drain() == ["queued"]
    assert worker.drain() == []


def test_a_worker_is_woken_by_its_own_threads_too(worker):
    worker.wake_workers("queued")

    assert readable(worker)
    assert worker.drain() == ["queued"]


def test_a_follower_in_another_process_is_woken_for_its_run_only(worker, web):
    with web.following("run-1") as mine, web.following("run-2") as other:
        worker.wake_followers("run-1")

        assert mine.wait(PATIENCE_S)
        assert not other.is_set()


def test_a_follower_in_the_same_process_is_woken_without_a_socket(web):
    with web.following("run-1") as news:
        web.wake_followers("run-1")
        assert news.is_set()


def test_who_follows_any_run_hears_of_each(worker, web):
    with web.following(ANY_RUN) as any_run, web.following("run-1") as mine:
        before = web.heard
        worker.wake_followers("run-2")

        assert any_run.wait(PATIENCE_S)
        assert not mine.is_set()
        assert web.heard == before + 1


def test_what_a_killed_process_left_behind_is_cleared(folder, web):
    dead = Wakeups(folder, Role.WORKER)
    dead.open().close()
    dead._sender.close()
    assert len(os.listdir(folder)) == 1

    web.wake_workers()

    assert not [name for name in os.listdir(folder) if name.startswith("worker")]


def test_a_forged_or_empty_message_stops_nothing(worker, web):
    with web.following("run-1") as news:
        for message in (b"", b"\xff\xfe", b"x" * 1000):
            for name in os.listdir(web._directory):
                if name.startswith("follower"):
                    worker.open().sendto(message, worker._address(name))
        worker.wake_followers("run-1")
        assert news.wait(PATIENCE_S)


def test_a_folder_that_cannot_be_made_only_costs_speed(tmp_path):
    (tmp_path / "file").write_text("")
    wakeups = Wakeups(tmp_path / "file" / "wake", Role.FOLLOWER)

    wakeups.wake_workers()
    with wakeups.following("run-1") as news:
        wakeups.wake_followers("run-1")
        assert news.is_set()


def test_closing_leaves_no_socket(folder, worker):
    worker.close()
    assert os.listdir(folder) == []


def test_a_worker_that_does_not_read_blocks_nobody(worker, web):
    for _ in range(2000):
        web.wake_workers("queued")

    assert set(worker.drain()) == {"queued"}
