"""An engine behind SSH, as a socket of this machine that nobody else can reach.

As with `docker -H ssh://`, each connection is a `docker system dial-stdio` on the other machine.
But it goes through our own SSH, with the host keys and the credentials of the connection.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from runbook.connectors.errors import ConnectorError

NAME = "docker.sock"
COMMAND = "docker system dial-stdio"
_READ_BYTES = 65_536


class Tunnel:
    """`chain` is logged in. The socket is in `folder`, under NAME."""

    def __init__(self, chain: Any, folder: Path) -> None:
        self._chain = chain
        self._listener = _listening(folder)
        self.said = ""
        """What the other machine said on standard error last."""
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._chain.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near:
            try:
                channel = self._chain.last.open_session()
                channel.exec_command(COMMAND)
            except Exception as error:  # noqa: BLE001 - the client sees the end of its connection
                self.said = str(error)
                return
            back = threading.Thread(target=self._down, args=(channel, near), daemon=True)
            back.start()
            self._up(near, channel)
            back.join()
            with suppress(Exception):
                self.said = channel.recv_stderr(_READ_BYTES).decode("utf-8", "replace") or self.said
            channel.close()

    def _up(self, near: socket.socket, channel: Any) -> None:
        with suppress(OSError, EOFError):
            while data := near.recv(_READ_BYTES):
                channel.sendall(data)
        with suppress(OSError, EOFError):
            channel.shutdown_write()

    def _down(self, channel: Any, near: socket.socket) -> None:
        with suppress(OSError, EOFError):
            while data := channel.recv(_READ_BYTES):
                near.sendall(data)
        # The client waits for an answer, if the other end is gone.
        with suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)


def _listening(folder: Path) -> socket.socket:
    """Its path may be too long for a socket: so it is bound by the folder's descriptor."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{descriptor}/{NAME}")
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConnectorError(f"No socket for the connection by SSH: {error.strerror}") from None
    finally:
        os.close(descriptor)
    return listener
