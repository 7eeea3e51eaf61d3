"""A server that hangs at any point ends by the time-out."""

import socket
import threading

import paramiko
import pytest

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys
from runbook.connectors.ssh import open_session
from runbook.connectors.ssh.target import route_of


class Hanging(paramiko.ServerInterface):
    """Hangs where it is told to, until it is released."""

    def __init__(self, where):
        self.where = where
        self.released = threading.Event()

    def _hang(self, where):
        if where == self.where:
            self.released.wait()

    def check_auth_password(self, username, password):
        self._hang("login")
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind, chanid):
        self._hang("channel")
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel, command):
        self._hang("exec")
        return True

    def check_channel_subsystem_request(self, channel, name):
        self._hang("subsystem")
        return True

    def check_channel_pty_request(self, *given):
        return True

    def check_channel_shell_request(self, channel):
        self._hang("shell")
        return True


@pytest.fixture
def serve():
    """Starts a server that hangs there; the values of a connection to it."""
    servers = []

    def start(where):
        listening = socket.create_server(("127.0.0.1", 0))
        server = Hanging(where)
        servers.append((listening, server))

        def accept():
            connection, _ = listening.accept()
            transport = paramiko.Transport(connection)
            transport.add_server_key(paramiko.ECDSAKey.generate())
            transport.start_server(server=server)
            server.released.wait()
            transport.close()

        threading.Thread(target=accept, daemon=True).start()
        return {
            "host": "127.0.0.1",
            "port": listening.getsockname()[1],
            "username": "ann",
            "password": "secret",
            "timeout": 1 if where in ("login", "channel") else 20,
            "command_timeout": 1,
        }

    yield start
    for listening, server in servers:
        server.released.set()
        listening.close()


@pytest.mark.parametrize(
    ("where", "use"),
    [
        ("login", lambda session: None),
        ("channel", lambda session: session.run("x")),
        ("exec", lambda session: session.run("x")),
        ("output", lambda session: session.run("x")),
        ("subsystem", lambda session: session.get("x")),
        ("files", lambda session: session.put("x", b"")),
        ("shell", lambda session: session.shell("#")),
        ("prompt", lambda session: session.shell("#")),
    ],
)
def test_a_server_that_hangs_ends_by_the_timeout(serve, where, use):
    route = route_of("lab", serve(where))
    with (
        pytest.raises(ConnectorError) as error,
        open_session(route, CollectedHostKeys({})) as session,
    ):
        use(session)
    assert error.value.code is ErrorCode.TIMEOUT
