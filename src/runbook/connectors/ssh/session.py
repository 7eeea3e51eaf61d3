"""A session with an SSH server: commands and files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from runbook.connectors.effects import plan_change
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.ssh.limits import close, limited
from runbook.connectors.ssh.shell import Shell

if TYPE_CHECKING:
    from paramiko import Channel, SFTPClient

    from runbook.connectors.ssh.target import Route
    from runbook.connectors.ssh.transport import Chain

READ_BYTES = 65_536
MOST_OUTPUT_BYTES = 64 * 1024 * 1024
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command printed. `exit_status` is None if the server sent none."""

    stdout: str
    stderr: str
    exit_status: int | None


class Session:
    """Use it in a `with` statement, or `close` it.

    Methods raise ConnectorError. In a dry run, reads happen, and each change becomes a line of the
    plan.
    """

    def __init__(self, route: Route, chain: Chain, *, dry_run: bool = False) -> None:
        self.name = route.name
        self.address = route.target.address
        self.dry_run = dry_run
        self._chain = chain
        self._timeouts = route.timeouts
        self._sftp: SFTPClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._sftp = None
        self._chain.close()

    @property
    def server_version(self) -> str:
        """What the server calls itself, such as OpenSSH_9.2p1."""
        return str(self._chain.last.remote_version).split("-", maxsplit=2)[-1]

    def run(
        self,
        command: str,
        *,
        reads: bool = False,
        check: bool = False,
        timeout: float | None = None,
    ) -> CommandResult:
        """Run a command to its end, at most `timeout` or the connection's `command_timeout`.

        `reads`: it changes nothing, so that a dry run executes it too. `check`: raise device_error
        unless its exit status is 0.
        """
        if self.dry_run and not reads:
            plan_change(f"run `{command}` on {self.name}")
            return CommandResult("", "", 0)
        most_s = self._timeouts.command_s if timeout is None else timeout
        with self._translating(f"`{command[:_SHOWN]}`"):
            result = _finished(self._channel(), command, time.monotonic() + most_s)
        if check and result.exit_status != 0:
            said = (result.stderr or result.stdout).strip()[-_SHOWN:]
            text = f"{self.address}: `{command[:_SHOWN]}` ended with {result.exit_status}: {said}"
            raise ConnectorError(text, ErrorCode.DEVICE_ERROR)
        return result

    def shell(self, prompt: str, *, pager: str = "", timeout: float | None = None) -> Shell:
        """An interactive shell, in which commands follow each other. See ssh/shell.py."""
        return Shell(
            self._channel(),
            self._translating,
            prompt=prompt,
            pager=pager,
            timeout_s=self._timeouts.command_s if timeout is None else timeout,
            planned_on=self.name if self.dry_run else "",
        )

    def get(self, path: str) -> bytes:
        """The content of a file."""
        from runbook.connectors.ssh import files

        with self._translating(f"reading {path}"):
            return files.get(self._files(), path)

    def put(self, path: str, content: bytes, *, temporary: bool = False) -> None:
        """Write a file, replacing one that is there.

        `temporary`: also in a dry run, as the file is removed again.
        """
        if self.dry_run and not temporary:
            plan_change(f"write {path} ({len(content)} bytes) on {self.name}")
            return
        from runbook.connectors.ssh import files

        with self._translating(f"writing {path}"):
            files.put(self._files(), path, content)

    def remove(self, path: str, *, temporary: bool = False) -> None:
        """Remove a file. One that isn't there raises not_found. `temporary`: see `put`."""
        if self.dry_run and not temporary:
            plan_change(f"remove {path} from {self.name}")
            return
        from runbook.connectors.ssh import files

        with self._translating(f"removing {path}"):
            files.remove(self._files(), path)

    def _channel(self) -> Channel:
        return self._chain.last.open_session(timeout=self._timeouts.connect_s)

    def _files(self) -> SFTPClient:
        if self._sftp is None:
            from runbook.connectors.ssh import files

            self._sftp = files.opened(self._channel(), self._timeouts.command_s)
        return self._sftp

    def _translating(self, doing: str) -> Any:
        from runbook.connectors.ssh.transport import translating

        return translating(self.address, doing)


def _finished(channel: Channel, command: str, deadline: float) -> CommandResult:
    """Read both streams at once: a command that fills one waits until somebody reads it."""
    errors: list[BaseException] = []
    stderr = bytearray()

    def read_stderr() -> None:
        try:
            _drain(channel, channel.recv_stderr, stderr, deadline)
        except BaseException as error:  # noqa: BLE001 - raised by the other thread
            errors.append(error)

    try:
        with limited(channel, _left(deadline)):
            _start(channel, command)
        reader = threading.Thread(target=read_stderr, daemon=True)
        reader.start()
        stdout = bytearray()
        _drain(channel, channel.recv, stdout, deadline)
        reader.join()
        if errors:
            raise errors[0]
        if not channel.status_event.wait(_left(deadline)):
            raise TimeoutError
        status = channel.exit_status
        if status < 0 and not channel.get_transport().is_active():
            text = "The connection broke before the command's output had ended"
            raise ConnectorError(text, ErrorCode.TRUNCATED)
    finally:
        close(channel)
    return CommandResult(_text(stdout), _text(stderr), None if status < 0 else status)


def _start(channel: Channel, command: str) -> None:
    from paramiko import SSHException

    try:
        channel.exec_command(command)
    except SSHException:
        # Some servers are done with a short command before they confirm that it has begun.
        if not channel.closed or channel.exit_status < 0:
            raise
    channel.shutdown_write()  # there is no input


def _drain(
    channel: Channel, receive: Callable[[int], bytes], into: bytearray, deadline: float
) -> None:
    while True:
        channel.settimeout(_left(deadline))
        data = receive(READ_BYTES)
        if not data:
            return
        into += data
        if len(into) > MOST_OUTPUT_BYTES:
            text = f"The command printed more than {MOST_OUTPUT_BYTES // 2**20} MiB"
            raise ConnectorError(text, ErrorCode.TRUNCATED)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace")
