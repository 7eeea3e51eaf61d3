"""An interactive shell: for devices whose configuration needs several commands in one session."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runbook.connectors.effects import plan_change
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.ssh.limits import close, limited

if TYPE_CHECKING:
    from paramiko import Channel

READ_BYTES = 65_536
MOST_BYTES = 64 * 1024 * 1024
TAIL_CHARACTERS = 1000
"""Prompts are looked for at the end of what came, at most in this much."""
WIDTH, HEIGHT = 511, 5000
"""So that few devices break lines or wait after a page."""
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>]|[\x00\x07]|.\x08")

Translating = Callable[[str], AbstractContextManager[None]]


class Shell:
    """Use it in a `with` statement, or `close` it.

    `prompt` is a pattern of what the device prints, at the end, when it waits for a command;
    `pager` one of what it prints after each page.
    """

    def __init__(
        self,
        channel: Channel,
        translating: Translating,
        *,
        prompt: str,
        pager: str,
        timeout_s: float,
        planned_on: str,
    ) -> None:
        self._channel = channel
        self._translating = translating
        self._prompt = re.compile(f"(?:{prompt})\\Z", re.MULTILINE)
        self._pager = re.compile(f"(?:{pager})\\Z", re.MULTILINE) if pager else None
        self._timeout_s = timeout_s
        self._planned_on = planned_on
        with translating("opening a shell"):
            with limited(channel, timeout_s):
                channel.get_pty("vt100", WIDTH, HEIGHT)
                channel.invoke_shell()
            self.greeting = self._until(self._prompt, time.monotonic() + timeout_s)

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
        close(self._channel)

    def send(
        self,
        command: str,
        *,
        reads: bool = False,
        prompt: str | None = None,
        timeout: float | None = None,
    ) -> str:
        """Send a line, and return what comes until the next prompt, without the two.

        `reads`: it changes nothing, so that a dry run sends it too. `prompt` is another pattern to
        wait for, such as that of a question.
        """
        if self._planned_on and not reads:
            plan_change(f"send `{command}` to {self._planned_on}")
            return ""
        most_s = self._timeout_s if timeout is None else timeout
        wanted = self._prompt if prompt is None else re.compile(f"(?:{prompt})\\Z", re.MULTILINE)
        with self._translating(f"`{command[:300]}`"):
            self._channel.settimeout(most_s)
            self._channel.sendall(f"{command}\n".encode())
            text = self._until(wanted, time.monotonic() + most_s)
        first, _, rest = text.partition("\n")
        # The terminal shows what it gets.
        return rest if command.strip() in first else text

    def _until(self, wanted: re.Pattern[str], deadline: float) -> str:
        data, pages = bytearray(), list[str]()
        while True:
            text = _plain(data)
            tail = text[-TAIL_CHARACTERS:]
            if (found := wanted.search(tail)) is not None:
                pages.append(text[: len(text) - len(tail) + found.start()])
                return "".join(pages).rstrip("\n")
            if self._pager is not None and (found := self._pager.search(tail)) is not None:
                pages.append(text[: len(text) - len(tail) + found.start()])
                data.clear()
                self._channel.sendall(b" ")
            data += self._received(deadline)
            if len(data) > MOST_BYTES:
                raise ConnectorError("The device prints without an end", ErrorCode.TRUNCATED)

    def _received(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._channel.settimeout(left)
        got: bytes = self._channel.recv(READ_BYTES)
        if not got:
            text = "The device ended the shell before it showed its prompt"
            raise ConnectorError(text, ErrorCode.TRUNCATED)
        return got


def _plain(data: bytearray) -> str:
    """Without what moves the cursor and sets colours."""
    text = _CONTROLS.sub("", data.decode("utf-8", "replace"))
    return text.replace("\r\n", "\n").replace("\r", "")
