"""Keeps a server running: starts it again when it was killed, and sees when it ends by itself."""

from __future__ import annotations

import os
import random
import select
import signal
import threading
import time
from contextlib import suppress
from typing import Any

import httpx
import psutil

from integration.conftest import Server
from patience import PATIENCE_S
from runbook.host.supervisor import MOST_QUICK_DEATHS
from torture.database import Database
from torture.ground import Ground
from torture.watch import Watch

BETWEEN_STARTS_S = 0.5
BETWEEN_LOOKS_S = 0.2
LOOK_S = 1.0
WORKER = "runbook.worker"
WEB = "runbook.api.server"
READ_BYTES = 1 << 16


class LogPipe:
    """A pipe for the server's log, copied into a file until someone closes it."""

    def __init__(self, ground: Ground) -> None:
        self._copy = ground.folder / "piped.log"
        self._reading, self.writing = os.pipe()
        self._closing, self._closed = os.pipe()
        self.flows = threading.Event()
        """Nobody reads it while this is cleared."""
        self.flows.set()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        self.flows.set()
        with suppress(OSError):
            os.close(self._closed)
        self._thread.join()

    def _read(self) -> None:
        with self._copy.open("ab") as copy:
            while True:
                self.flows.wait()
                ready, _, _ = select.select([self._reading, self._closing], [], [])
                text = os.read(self._reading, READ_BYTES) if self._reading in ready else b""
                if self._closing in ready or not text:
                    break
                copy.write(text)
        os.close(self._reading)
        os.close(self._closing)


class Keeper:
    """One server at a time over the ground. Only one thread uses it."""

    def __init__(
        self, ground: Ground, database: Database, watch: Watch, chance: random.Random
    ) -> None:
        self._ground = ground
        self._database = database
        self._watch = watch
        self._chance = chance
        settings: dict[str, Any] = {**ground.settings(), **database.settings}
        self.server = Server(ground.folder, **settings)
        self.pipe: LogPipe | None = None
        self.expected_end = True
        """Whether whatever ends the server now was our doing."""
        self._deaths = 0
        self._began = 0.0
        self._is_ready = False
        self._was_ready = False
        self._next_look = 0.0

    @property
    def is_running(self) -> bool:
        return self.server._process is not None and self.server._process.poll() is None

    def is_ready(self, patience_s: float = LOOK_S) -> bool:
        """Whether it accepts runs now; asked a few times a second at most."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + BETWEEN_LOOKS_S
            self._is_ready = False
            with suppress(httpx.HTTPError):
                reply = httpx.get(f"{self.server.url}/readyz", timeout=patience_s)
                self._is_ready = reply.status_code == 200
                self._was_ready = self._was_ready or self._is_ready
        return self._is_ready and self.is_running

    def start(self) -> None:
        """Without waiting until it is ready. Its log goes to a file or a pipe, by chance."""
        self.close_log()
        if self._chance.random() < 0.5:
            self.pipe = LogPipe(self._ground)
            log = self.pipe.writing
        else:
            log = os.open(self._ground.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.server.start(wait=False, stderr=log)
        finally:
            os.close(log)
        self.expected_end = False
        self._deaths, self._began = 0, time.monotonic()
        self._is_ready = self._was_ready = False
        self._next_look = 0.0
        if self._ground.data.ballast.exists() or self._database.is_down:
            self.hinder_start()

    def hinder_start(self) -> None:
        """A server that finds its disk full or its database away may refuse to start."""
        self.expected_end = self.expected_end or not self._was_ready

    def ensure(self) -> None:
        """Start it unless it runs. An end that nobody caused is a fault of the engine."""
        if self.is_running or time.monotonic() < self._began + BETWEEN_STARTS_S:
            return
        if self.server._process is not None:
            self._judge(self.server._process.returncode)
        self.start()

    def _judge(self, code: int) -> None:
        if self.expected_end or self._deaths >= MOST_QUICK_DEATHS:
            self._watch.count("server: ended by a fault")
        elif code == 78 and time.monotonic() < self._began + PATIENCE_S:
            # The port is still taken by the web processes of a server that was killed.
            self._watch.count("server: start refused")
        else:
            self._watch.fault(f"the server ended by itself with {code}: {self.last_words()}")

    def last_words(self) -> str:
        texts = []
        for path in (self._ground.log, self._ground.folder / "piped.log"):
            with suppress(OSError):
                texts.append(path.read_text(errors="replace")[-1500:])
        return "\n".join(texts)

    def close_log(self) -> bool:
        """Whether there was a pipe to close."""
        if self.pipe is None:
            return False
        self.pipe.close()
        self.pipe = None
        return True

    def worker(self) -> psutil.Process | None:
        return next(iter(self.children(WORKER)), None)

    def web(self) -> list[psutil.Process]:
        """The web processes, their parent first."""
        found = self.children(WEB)
        with suppress(psutil.Error):
            return found + [child for one in found for child in one.children()]
        return found

    def children(self, module: str) -> list[psutil.Process]:
        with suppress(psutil.Error):
            return self.server.children(module) if self.is_running else []
        return []

    def kill(self, *processes: psutil.Process) -> bool:
        self._deaths += 1
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return bool(processes)

    def end(self, number: int) -> bool:
        """End the supervisor, and with it all."""
        if not self.is_running:
            return False
        self.expected_end = True
        self.server.process.send_signal(number)
        if number == signal.SIGKILL:
            self.server.wait()
        return True

    def wait_ready(self) -> bool:
        """Whether it answers at last; it is started again as often as that takes."""
        deadline = time.monotonic() + 4 * PATIENCE_S
        while time.monotonic() < deadline:
            self.ensure()
            if self.is_ready(PATIENCE_S):
                return True
            time.sleep(0.05)
        self._watch.fault(
            f"the server wasn't ready after {4 * PATIENCE_S:.0f} s: {self.last_words()}"
        )
        return False

    def stop(self) -> None:
        """A regular stop. Anything else than a clean exit is a fault."""
        if self.end(signal.SIGTERM):
            try:
                code = self.server.wait(4 * PATIENCE_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                self._watch.fault(f"the server doesn't stop: {error}")
                self.server.kill()
            else:
                if code != 0:
                    self._watch.fault(f"the server stopped with {code}: {self.last_words()}")
        self.close_log()

    def abandon(self) -> None:
        """Leave nothing running, whatever state it is in."""
        if self.is_running:
            self.server.kill()
        self.close_log()
