"""How requests of many connections share a web process."""

import gevent
import pytest
from gunicorn.http import errors
from gunicorn.workers.ggevent import GeventWorker

from runbook.api.web_worker import WebWorker


class Request:
    body = None

    def __init__(self, headers=(("HOST", "localhost"),), version=(1, 1)):
        self.headers, self.version = headers, version


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


@pytest.mark.parametrize(
    ("hosts", "version"),
    [([], (1, 1)), (["a.example", "b.example"], (1, 1)), (["a.example"] * 2, (1, 0))],
)
def test_a_request_must_name_one_host(handled, hosts, version):
    request = Request([("ACCEPT", "*/*"), *(("HOST", host) for host in hosts)], version)

    with pytest.raises(errors.InvalidHeader):
        WebWorker.__new__(WebWorker).handle_request(None, request, None, "a")

    assert handled == []


def test_an_old_client_needs_no_host(handled):
    WebWorker.__new__(WebWorker).handle_request(None, Request([], (1, 0)), None, "a")

    assert handled == ["a"]
