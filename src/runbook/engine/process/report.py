"""What the first process of a sandbox reports: that it is up, and how the script ended."""

from __future__ import annotations

import os
import re
import signal
from contextlib import suppress

MOST_BYTES = 4096
READ_BYTES = 65_536
SIGNALLED = 128
NOT_STARTED = frozenset({126, 127})
UP = "up\n"

_EXIT = re.compile(r"^exit (\d{1,3})$", re.MULTILINE)
_UNTOLD = frozenset({signal.SIGINT, signal.SIGTERM})
"""A shell doesn't always tell that a script was killed by one of these."""


class Report:
    """The engine's end. `control` is closed to end the sandbox's first process."""

    def __init__(self, descriptor: int, control: int) -> None:
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._control: int | None = control
        self._text = ""

    def read(self) -> bool:
        """Read what is there; False at the end."""
        with suppress(BlockingIOError):
            data = os.read(self.descriptor, READ_BYTES)
            # A script that gets hold of the other end can write as much as it likes.
            self._text = (self._text + data.decode("utf-8", "replace"))[:MOST_BYTES]
            return bool(data)
        return True

    @property
    def problem(self) -> str | None:
        """Why the script wasn't started, if it wasn't."""
        code, said = self._exit, self._said
        if self.is_up and not (code in NOT_STARTED and said):
            return None
        return said or "the sandbox could not be set up"

    @property
    def is_up(self) -> bool:
        return UP in self._text

    @property
    def return_code(self) -> int | None:
        """The script's, -N if signal N killed it; None if it isn't known."""
        code = self._exit
        if code is None or not self._is_signal(code - SIGNALLED):
            return code
        return SIGNALLED - code

    @property
    def _exit(self) -> int | None:
        found = _EXIT.search(self._text)
        return int(found[1]) if found else None

    @property
    def _said(self) -> str:
        """What the programs of the sandbox said."""
        return " ".join(_EXIT.sub("", self._text).replace(UP, "", 1).split())

    def _is_signal(self, number: int) -> bool:
        return 0 < number < signal.NSIG and (bool(self._said) or number in _UNTOLD)

    def close(self) -> None:
        if self._control is not None:
            os.close(self._control)
            os.close(self.descriptor)
            self._control = None
