"""SSH: one command per channel, and SFTP."""

from __future__ import annotations

import base64
import logging
import threading
import time
from typing import Any

import paramiko

from runbook.lab.routeros.console.builtins import Return
from runbook.lab.routeros.console.interpreter import Interpreter
from runbook.lab.routeros.errors import Rebooting, RouterError
from runbook.lab.routeros.net import users
from runbook.lab.routeros.net.connection import Connection, Ended
from runbook.lab.routeros.net.sftp import Files
from runbook.lab.routeros.session import Session

VERSION = "SSH-2.0-ROSSSH"
ANSWER_S = 10.0
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


def serve(connection: Connection, key: Any) -> None:
    transport = _Transport(_Guarded(connection))
    transport.local_version = VERSION
    transport.add_server_key(key)
    server = _Server(connection, transport)
    transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files, connection)
    try:
        transport.start_server(server=server)
        while connection.open and transport.is_active():
            transport.join(0.2)
    except paramiko.SSHException:
        pass
    finally:
        transport.close()


class _Transport(paramiko.Transport):  # type: ignore[misc]
    """Knows when it has answered a request: before, a quick command would close its channel."""

    def __init__(self, connected: Any) -> None:
        super().__init__(connected)
        self._waiting: list[threading.Event] = []

    def next_answer(self) -> threading.Event:
        found = threading.Event()
        self._waiting.append(found)
        return found

    def _send_user_message(self, data: Any) -> None:
        super()._send_user_message(data)
        if threading.current_thread() is self:
            while self._waiting:
                self._waiting.pop().set()


class _Guarded:
    """The socket that paramiko sees."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._socket = connection.socket

    def recv(self, size: int) -> bytes:
        found = self._socket.recv(size)
        if found:
            self._pass()
        return found

    def send(self, content: bytes) -> int:
        self._pass()
        return self._socket.send(content)

    def _pass(self) -> None:
        try:
            self._connection.wait_until_let_through()
        except Ended:
            raise EOFError from None

    @property
    def _closed(self) -> bool:
        """Paramiko asks before it waits for its thread."""
        return not self._connection.open

    def close(self) -> None:
        self._connection.close()

    def settimeout(self, seconds: float | None) -> None:
        self._socket.settimeout(seconds)

    def getpeername(self) -> Any:
        return self._socket.getpeername()

    def fileno(self) -> int:
        return self._socket.fileno()


class _Server(paramiko.ServerInterface):  # type: ignore[misc]
    def __init__(self, connection: Connection, transport: _Transport) -> None:
        self._connection = connection
        self._transport = transport
        self._router = connection.router

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - of the interface
        return "publickey,password"

    def check_auth_password(self, username: str, password: str) -> Any:
        row = users.find(self._router, username)
        if row is None or row.get("password", "") != password:
            return paramiko.AUTH_FAILED
        return self._log_in(username)

    def check_auth_publickey(self, username: str, key: Any) -> Any:
        text = base64.b64encode(key.asbytes()).decode()
        for row in self._router.config.rows("user/ssh-keys"):
            if row["user"] == username and row.get("key") == text:
                return self._log_in(username)
        return paramiko.AUTH_FAILED

    def _log_in(self, username: str) -> Any:
        session = users.log_in(self._router, username, "ssh", "ssh")
        if session is None:
            return paramiko.AUTH_FAILED
        self._connection.session = session
        self._connection.logged_in = True
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> Any:  # noqa: ARG002 - of the interface
        if kind == "session":
            return paramiko.OPEN_SUCCEEDED
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        text = command.decode("utf-8", "replace")
        work = (channel, text, self._transport.next_answer())
        threading.Thread(target=self._execute, args=work, daemon=True).start()
        return True

    def check_channel_pty_request(self, *_: Any) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        """There is no prompt: see docs/routeros-simulator.md."""
        del channel
        return False

    def check_channel_env_request(self, *_: Any) -> bool:
        return False

    def _execute(self, channel: paramiko.Channel, text: str, accepted: threading.Event) -> None:
        accepted.wait(ANSWER_S)
        command = text.splitlines()[0] if text.strip() else ""
        faults = self._router.faults
        time.sleep(faults.delay(command))
        output, status = run(self._connection, command)
        content = "".join(f"{line}\r\n" for line in output).encode()
        if faults.truncates(command):
            content, status = content[: len(content) // 2], 0
        try:
            if faults.drops(command):
                channel.sendall(content[: len(content) // 2])
                self._connection.close()
                return
            channel.sendall(content)
            channel.send_exit_status(status)
            channel.shutdown_write()
            channel.close()
        except (OSError, EOFError):
            self._connection.close()


def run(connection: Connection, command: str) -> tuple[list[str], int]:
    """The lines that it prints, and its exit status."""
    router = connection.router
    of = connection.session
    session = Session(of.user, of.policies, "ssh", of.address, of.cancelled)
    interpreter = Interpreter(router, session)
    try:
        interpreter.run_text(command)
    except Return:
        pass
    except Rebooting:
        return interpreter.output, 0
    except RouterError as error:
        shown = [] if error.output else [error.text]
        status = router.release.exit_status_of_syntax if error.line and shown else 0
        return [*interpreter.output, *shown], status
    except ValueError:
        return [*interpreter.output, "invalid value"], 0
    return interpreter.output, 0
