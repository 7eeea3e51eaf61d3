"""The endpoint's log, which people read when something is wrong."""

import socket

import pytest

from runbook.lab.ipam.database import Database
from runbook.lab.ipam.server import Endpoint, Server


@pytest.mark.parametrize(("error", "is_shown"), [(ConnectionResetError, False), (KeyError, True)])
def test_a_client_that_goes_away_is_no_error(error, is_shown, capsys):
    def fail(*_):
        raise error

    with Server(Endpoint(Database(), ["token"])) as server, socket.socket() as client:
        server.finish_request = fail
        server.process_request_thread(client, ("127.0.0.1", 1))

    assert (error.__name__ in capsys.readouterr().err) is is_shown
