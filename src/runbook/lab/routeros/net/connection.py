"""One connection of a client, whose packets pass the firewall."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field

from runbook.lab.routeros.device import Device
from runbook.lab.routeros.net.access import Packet, Verdict, verdict
from runbook.lab.routeros.session import Session

LINGER = struct.pack("ii", 1, 0)
"""Closing sends a reset."""
POLL_S = 1.0
ESTABLISHED = 1
"""A state of the kernel's connections: both sides are open."""


class Ended(Exception):  # noqa: N818 - the router ended the connection
    """The connection was cut while it waited."""


@dataclass(eq=False)
class Connection:
    """One that is open. What it sends and receives passes the firewall."""

    router: Device
    service: str
    socket: socket.socket
    since: str = ""
    session: Session = field(default_factory=Session)
    logged_in: bool = False
    open: bool = True

    def wait_until_let_through(self, *, established: bool = True) -> None:
        """As long as packets are dropped, both sides hear nothing: raises Ended."""
        packet = Packet(self.service, established)
        with self.router.allowed:
            while True:
                if not self.open or not self.router.is_up:
                    raise Ended
                found = verdict(self.router, packet)
                if found is Verdict.REJECT:
                    self.reset()
                    raise Ended
                if found is Verdict.ACCEPT and not self.router.faults.hang:
                    return
                self.router.allowed.wait(POLL_S)
                self._notice_that_the_client_left()

    def _notice_that_the_client_left(self) -> None:
        """Reading would not tell: what it sent before is still to be read."""
        state = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        if state != ESTABLISHED:
            raise Ended

    def reset(self) -> None:
        """End it with a reset, which the close of its descriptor sends."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        self._end(socket.SHUT_RD)

    def close(self) -> None:
        """End it, from any thread. The thread that serves it then releases it."""
        self._end(socket.SHUT_RDWR)

    def release(self) -> None:
        """Close its descriptor, once nobody uses it: the next connection gets its number."""
        self.close()
        with suppress(OSError):
            self.socket.close()

    def _end(self, how: int) -> None:
        self.open = False
        self.session.cancelled.set()
        with suppress(OSError):
            self.socket.shutdown(how)
