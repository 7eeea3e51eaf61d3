"""Runs the Docker CLI: lists of arguments, a small environment, limits for time and output."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from runbook.connectors.compose.errors import error_of
from runbook.connectors.errors import ConnectorError, ErrorCode

MOST_OUTPUT_BYTES = 64 * 1024 * 1024
_READ_BYTES = 65_536
_GRACE_S = 10.0
_SHOWN_WORDS = 6


@dataclass
class Cli:
    """`options` say which engine it is; they come first. `folder` is private and the current one.

    `name` is the connection's. `stack` closes what the connection needs.
    """

    name: str
    options: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    path: str
    timeout_s: float
    command_timeout_s: float
    stack: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        self.stack.close()

    def read(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """What a command that changes nothing prints. Raises ConnectorError."""
        return self.run(arguments, timeout_s=self.timeout_s, env=env)

    def change(
        self, *arguments: str, env: Mapping[str, str] | None = None, live: bool = False
    ) -> str:
        """`live`: what it says is also shown as it comes."""
        return self.run(arguments, timeout_s=self.command_timeout_s, env=env, live=live)

    def run(
        self,
        arguments: Sequence[str],
        *,
        timeout_s: float,
        env: Mapping[str, str] | None = None,
        live: bool = False,
        stdin: IO[bytes] | None = None,
        stdout: IO[bytes] | None = None,
    ) -> str:
        """To its end. Raises ConnectorError: `timeout` after this time, if the CLI hangs."""
        command = [self._program(), *self.options, *arguments]
        what = f"`docker {shlex.join(arguments[:_SHOWN_WORDS])}`"
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            said = _Said(process, _show if live else None)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                text = f"{self.name}: {what} didn't end in {timeout_s:g} s"
                raise ConnectorError(text, ErrorCode.TIMEOUT) from None
            finally:
                _end(process)
                said.finish()
        if said.too_long:
            text = f"{self.name}: {what} printed more than {MOST_OUTPUT_BYTES // 2**20} MiB"
            raise ConnectorError(text, ErrorCode.TRUNCATED)
        if process.returncode:
            raise error_of(self.name, what, said.stderr)
        return said.stdout

    def shown(self, arguments: Sequence[str]) -> str:
        """The command as one would type it."""
        return shlex.join(["docker", *self.options, *arguments])

    def _program(self) -> str:
        found = shutil.which("docker", path=self.path)
        if found is None:
            text = "The program docker is missing. Install the Docker CLI with its Compose plugin"
            raise ConnectorError(text, ErrorCode.MISSING_EXTRA, nothing_changed=True)
        return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask first: Compose then leaves no container half made."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)
    if process.poll() is None:
        process.kill()


def _show(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a script's output


class _Said:
    """What a process prints on both streams, read at the same time."""

    def __init__(
        self, process: subprocess.Popen[bytes], show: Callable[[str], None] | None
    ) -> None:
        self.too_long = False
        self._process = process
        self._parts: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        streams = (process.stdout, process.stderr)
        shows = (None, show)
        self._readers = [
            threading.Thread(target=self._read, args=(stream, parts, shown), daemon=True)
            for stream, parts, shown in zip(streams, self._parts, shows, strict=True)
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    def finish(self) -> None:
        """A daemon that the program has left behind may keep the streams open."""
        for reader in self._readers:
            reader.join(_GRACE_S)

    @property
    def stdout(self) -> str:
        return self._parts[0].decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        return self._parts[1].decode("utf-8", "replace")

    def _read(self, stream: Any, parts: bytearray, show: Callable[[str], None] | None) -> None:
        with suppress(OSError, ValueError):
            if show is not None:
                self._read_lines(stream, parts, show)
                return
            while data := os.read(stream.fileno(), _READ_BYTES):
                self._add(parts, data)

    def _read_lines(self, stream: Any, parts: bytearray, show: Callable[[str], None]) -> None:
        for line in stream:
            self._add(parts, line)
            if text := line.decode("utf-8", "replace").strip():
                show(text)

    def _add(self, parts: bytearray, data: bytes) -> None:
        if len(parts) + len(data) <= MOST_OUTPUT_BYTES:
            parts += data
        elif not self.too_long:
            self.too_long = True
            self._process.kill()
