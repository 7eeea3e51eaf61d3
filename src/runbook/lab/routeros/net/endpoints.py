"""The ports of a router: open or closed as its services are, each connection in its own thread."""

from __future__ import annotations

import socket
import threading

from runbook.lab.routeros.clock import write_moment
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.net.access import listens
from runbook.lab.routeros.net.connection import Connection, Ended
from runbook.lab.routeros.net.hostkey import HostKey
from runbook.lab.routeros.net.hub import Hub
from runbook.lab.routeros.session import Active

LOOPBACK = "127.0.0.1"
BACKLOG = 128


class Endpoints:
    def __init__(self, router: Device, hub: Hub, ports: dict[str, int]) -> None:
        self._router = router
        self._hub = hub
        self.ports = ports
        self.host_key = HostKey(router)
        self._keepers: dict[str, socket.socket] = {}
        self._listeners: dict[str, socket.socket] = {}
        self._connections: set[Connection] = set()
        self._lock = threading.Lock()

    def bind(self) -> None:
        """Take the ports. A port is refused, and still ours, while nothing listens on it."""
        for service, port in self.ports.items():
            keeper = _bound(port)
            self._keepers[service] = keeper
            self.ports[service] = keeper.getsockname()[1]

    def refresh(self) -> None:
        router = self._router
        with self._lock:
            for service in self._keepers:
                wanted = router.is_up and not router.faults.refuse and listens(router, service)
                if wanted and service not in self._listeners:
                    self._listen(service)
                elif not wanted and service in self._listeners:
                    self._close(service)

    def _listen(self, service: str) -> None:
        listener = _bound(self.ports[service])
        listener.listen(BACKLOG)
        self._listeners[service] = listener
        self._hub.listen(listener, lambda found: self._accepted(service, found))

    def _close(self, service: str) -> None:
        listener = self._listeners.pop(service)
        self._hub.forget(listener)
        listener.close()

    def _accepted(self, service: str, found: socket.socket) -> None:
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        moment = write_moment(self._router.clock.now(), iso=self._router.release.has_iso_dates)
        connection = Connection(self._router, service, found, moment)
        with self._lock:
            self._connections.add(connection)
        name = f"routeros-{service}"
        threading.Thread(target=self._serve, args=(connection,), name=name, daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.wait_until_let_through(established=False)
            if connection.service == "ssh":
                from runbook.lab.routeros.net import ssh

                ssh.serve(connection, self.host_key.get())
            else:
                from runbook.lab.routeros.net import api

                api.serve(connection)
        except (Ended, OSError, EOFError):
            pass
        finally:
            connection.release()
            with self._lock:
                self._connections.discard(connection)

    def active(self) -> list[Active]:
        with self._lock:
            return [
                Active(one.session, one.since)
                for one in self._connections
                if one.logged_in and one.open
            ]

    def cut(self) -> None:
        """The router goes down: all connections with it."""
        self.refresh()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()

    def close(self) -> None:
        self.cut()
        for keeper in self._keepers.values():
            keeper.close()
        self._keepers.clear()


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((LOOPBACK, port))
    return made
