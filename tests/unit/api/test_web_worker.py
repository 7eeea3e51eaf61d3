"""How requests of many connections share a web process."""

import gevent
import pytest
from gunicorn.workers.ggevent import GeventWorker

from runbook.api.web_worker import WebWorker


class Request:
    body = None


@pytest.fixture
def handled(monkeypatch):
    """Who was served, in order."""
    order = []
    monkeypatch.setattr(
        GeventWorker, "handle_request", lambda *arguments: order.append(arguments[-1])
    )
    return order


def test_connections_take_turns_though_each_has_its_next_request_ready(handled):
    worker = WebWorker.__new__(WebWorker)

    def connection(name):
        for _ in range(3):
            worker.handle_request(None, Request(), None, name)

    gevent.joinall([gevent.spawn(connection, name) for name in "abc"])

    assert handled == list("abcabcabc")
