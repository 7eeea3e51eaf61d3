"""The processes of the lab: started once, found again by their identity, ended on request.

Each is a module that reads its secrets from standard input and says in one line of JSON where it
listens. They go on when the command that started them has ended.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from runbook.errors import ConfigurationError, RunbookError, ServerUnavailableError
from runbook.host.identity import process_start
from runbook.quick_dataclass import dataclass

START_S = 60.0
END_S = 10.0
FOLDER = "lab"
STATE = "processes.json"
MISSING = "The lab needs more packages. Install them: pip install 'runbook-engine[lab]'"
PASSED = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV"})
"""What they get of the environment, which can hold secrets of the server."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the lab's processes. `secret` is the value that it gets under this name."""

    name: str
    module: str
    secret: str
    more: Mapping[str, str]
    arguments: tuple[str, ...] = ()


IPAM = Part("ipam", "runbook.lab.ipam", "token", {})
PVE = Part("pve", "runbook.lab.pve", "token_secret", {"token_id": "root@pam!lab"})
ROUTERS = Part(
    "routers",
    "runbook.lab.routeros",
    "password",
    {"username": "admin"},
    ("--given", "--count", "2", "--identity", "lab-router"),
)
PARTS = (IPAM, PVE, ROUTERS)


@dataclass(frozen=True, slots=True)
class Started:
    """`said` is what the process said, `secrets` what it was given."""

    part: Part
    said: Mapping[str, Any]
    given: Mapping[str, str]


class Processes:
    """Those that belong to one data folder."""

    def __init__(self, data_dir: Path, environment: Mapping[str, str]) -> None:
        self._folder = data_dir / FOLDER
        self._environment = environment

    def start(self) -> list[Started]:
        """Start all, or none: raises ConfigurationError and ServerUnavailableError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return [self._start(part) for part in PARTS]
        except BaseException:
            self.stop()
            raise

    def are_running(self) -> bool:
        return len(list(self._running())) == len(PARTS)

    def stop(self) -> int:
        """End those that run, and return how many there were."""
        running = list(self._running())
        for pid in running:
            _end(pid)
        (self._folder / STATE).unlink(missing_ok=True)
        return len(running)

    def _start(self, part: Part) -> Started:
        given = {part.secret: secrets.token_hex(20), **part.more}
        log = self._folder / f"{part.name}.log"
        asking, answering = os.pipe(), os.pipe()
        try:
            pid = self._spawn(part, log, asking[0], answering[1])
        finally:
            os.close(asking[0])
            os.close(answering[1])
        self._remember(pid)
        with os.fdopen(asking[1], "wb") as stdin, suppress(BrokenPipeError):
            stdin.write(json.dumps(given).encode() + b"\n")
            stdin.flush()
        with os.fdopen(answering[0], "rb") as stdout:
            ready, _, _ = select.select([stdout], [], [], START_S)
            line = stdout.readline() if ready else b""
        if not line:
            raise _failure(part, log)
        return Started(part, json.loads(line), given)

    def _spawn(self, part: Part, log: Path, stdin: int, stdout: int) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", part.module, *part.arguments],
            {name: value for name, value in self._environment.items() if name in PASSED},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, stdin, 0),
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_OPEN, 2, str(log), flags, 0o600),
            ],
            setsid=True,
        )

    def _remember(self, pid: int) -> None:
        known = [*self._known(), {"pid": pid, "started": process_start(pid)}]
        (self._folder / STATE).write_text(json.dumps(known))

    def _known(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = json.loads((self._folder / STATE).read_text())
        except (OSError, ValueError):
            return []
        return found

    def _running(self) -> Iterator[int]:
        """Their PIDs. The system may have given the PID to another process meanwhile."""
        for one in self._known():
            if one["started"] and process_start(one["pid"]) == one["started"]:
                yield one["pid"]


def _failure(part: Part, log: Path) -> RunbookError:
    said = log.read_text(errors="replace").strip()
    if any(f"No module named '{name}'" in said for name in ("fakepve", "paramiko")):
        return ConfigurationError(MISSING)
    last = said.splitlines()[-1] if said else "it said nothing"
    return ServerUnavailableError(f"The lab's {part.name} didn't start: {last}")


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            ended, _, _ = select.select([handle], [], [], END_S)
            if not ended:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], END_S)
        finally:
            os.close(handle)
    with suppress(ChildProcessError):  # that of another process
        os.waitpid(pid, os.WNOHANG)
