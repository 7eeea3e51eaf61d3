"""Wake-ups between processes: datagrams that make things faster, nothing more.

Each process binds one socket in a folder below DATA_DIR. A message says that something changed
(one of those below, or the id of a run with new events); the receiver then looks into the store.
A lost, late or forged message costs a poll at most. Where hosts share a database, messages also
pass through it (see `broadcast`); those of processes with the same folder are known already.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from runbook.engine.broadcast import Broadcast
from runbook.host.identity import boot_id
from runbook.store.notices import Notices

MESSAGE_BYTES = 128
SUFFIX = ".sock"
QUEUED = "queued"
"""A run can be claimed, perhaps without a free slot: a child run, or one for a form."""
ROOT_QUEUED = "root_queued"
"""A run can be claimed by a worker with a free slot."""
CANCEL = "cancel"
ANY_RUN = "*"
"""Followers of it hear of every run."""


class Role(StrEnum):
    """Who listens: followers want events of runs, workers want work and cancellations."""

    FOLLOWER = "follower"
    WORKER = "worker"


class Wakeups:
    """One process's place in the exchange. Opened lazily, so that it survives a fork unopened."""

    def __init__(self, directory: Path, role: Role, notices: Notices | None = None) -> None:
        """`notices` are those of the database, for processes on other hosts; None for none."""
        self._directory = directory
        self._role = role
        self._lock = threading.Lock()
        self._folder: int | None = None
        self._socket: socket.socket | None = None
        self._sender: socket.socket | None = None
        self._name = ""
        self._followers: dict[str, set[threading.Event]] = defaultdict(set)
        self._listening = False
        self._origin = os.urandom(6).hex()
        """Those that share a folder have the same one, once they have opened it."""
        self._broadcast: Broadcast | None = None
        if notices is not None and notices.pass_through:
            self._broadcast = Broadcast(notices, self._hear, self._missed)
        self.heard = 0
        """Counts the messages about runs, for those who look at different moments."""

    def open(self) -> socket.socket:
        """The bound socket, for a selector. Raises OSError where the folder cannot be used."""
        receiver = self._opened()
        if self._broadcast is not None:
            self._broadcast.listen()
        return receiver

    def _opened(self) -> socket.socket:
        with self._lock:
            if self._socket is None:
                self._bind()
            assert self._socket is not None  # noqa: S101 - just bound
            return self._socket

    def close(self) -> None:
        if self._broadcast is not None:
            self._broadcast.close()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                with contextlib.suppress(OSError):
                    os.unlink(self._name, dir_fd=self._folder)
            if self._sender is not None:
                self._sender.close()
            if self._folder is not None:
                os.close(self._folder)
            self._socket = self._sender = self._folder = None

    def wake_workers(self, message: str = QUEUED) -> None:
        """Tell every worker; also this process, where it is one: its threads end runs."""
        self._send(Role.WORKER, message)
        self._tell(Role.WORKER, message)

    def wake_followers(self, run_id: str) -> None:
        """Tell every follower of the run, in this process and in others."""
        self._deliver(run_id)
        self._send(Role.FOLLOWER, run_id, besides=self._name)
        self._tell(Role.FOLLOWER, run_id)

    @contextlib.contextmanager
    def following(self, run_id: str) -> Iterator[threading.Event]:
        """An event that is set whenever the run has news."""
        news = threading.Event()
        with self._lock:
            self._followers[run_id].add(news)
        try:
            self._listen()
            yield news
        finally:
            with self._lock:
                waiting = self._followers[run_id]
                waiting.discard(news)
                if not waiting:
                    del self._followers[run_id]

    def drain(self) -> list[str]:
        """The messages that are waiting, without blocking."""
        messages = []
        receiver = self._opened()
        # A select with no timeout costs less than the exception of a recv that would block.
        while select.select([receiver], [], [], 0)[0]:
            messages.append(receiver.recv(MESSAGE_BYTES).decode(errors="replace"))
        return messages

    def _bind(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._origin = _origin_of(self._folder)
        self._name = f"{self._role}-{os.getpid()}-{os.urandom(3).hex()}{SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(self._address(self._name))
        # A separate socket, since one that waits for messages may not be shared with senders,
        # and one that cannot block, so that a full queue costs nobody time.
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._sender.setblocking(False)

    def _address(self, name: str) -> str:
        """A path through the open folder: a socket's path holds 107 bytes, DATA_DIR may be long."""
        return f"/proc/self/fd/{self._folder}/{name}"

    def _send(self, role: Role, message: str, *, besides: str = "") -> None:
        with contextlib.suppress(OSError):
            self._opened()
            assert self._folder is not None  # noqa: S101 - just opened
            for name in os.listdir(self._folder):  # noqa: PTH208 - a descriptor has no Path
                if name.startswith(role) and name != besides:
                    self._send_one(name, message)

    def _send_one(self, name: str, message: str) -> None:
        assert self._sender is not None  # noqa: S101 - opened before
        try:
            self._sender.sendto(message.encode(), self._address(name))
        except ConnectionRefusedError:  # its process was killed and left the name behind
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
        except OSError:  # a full queue: its reader has enough to wake up for
            pass

    def _tell(self, role: Role, message: str) -> None:
        if self._broadcast is not None:
            self._broadcast.send(f"{self._origin} {role} {message}")

    def _hear(self, told: str) -> None:
        """What somebody has told through the database."""
        origin, role, message = [*told.split(" ", 2), "", ""][:3]
        if origin == self._origin or role != self._role:
            return
        if self._role is Role.FOLLOWER:
            self._deliver(message)
        else:
            self._send_one(self._name, message)

    def _missed(self) -> None:
        """Messages may have been lost: look at everything."""
        if self._role is Role.WORKER:
            for message in (QUEUED, CANCEL):
                self._send_one(self._name, message)
            return
        with self._lock:
            self.heard += 1
            for followers in self._followers.values():
                for news in followers:
                    news.set()

    def _listen(self) -> None:
        """Start the thread that passes messages to this process's followers, once."""
        if self._role is not Role.FOLLOWER or self._listening:
            return
        with self._lock:
            if self._listening:
                return
            self._listening = True
        if self._broadcast is not None:
            self._broadcast.listen()
        try:
            receiver = self._opened()
        except OSError:  # a read-only DATA_DIR: followers poll
            return
        threading.Thread(target=self._relay, args=(receiver,), daemon=True).start()

    def _relay(self, receiver: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._deliver(receiver.recv(MESSAGE_BYTES).decode(errors="replace"))

    def _deliver(self, run_id: str) -> None:
        with self._lock:
            self.heard += 1
            for name in (run_id, ANY_RUN):
                for news in self._followers.get(name, ()):
                    news.set()


def _origin_of(folder: int) -> str:
    """The same for all processes that reach each other's sockets in this folder."""
    status = os.fstat(folder)
    named = f"{boot_id()} {status.st_dev} {status.st_ino}"
    return hashlib.sha256(named.encode()).hexdigest()[:12]
