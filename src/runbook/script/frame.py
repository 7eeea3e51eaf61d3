"""Shows a called run's output in a frame on the caller's standard error. Frames nest.

The side of a line says what it is: `┃` for the called run's standard error, `┊` for the rest. Few
programs print a `┊`, so that readers can tell framed lines from those of the caller's own script.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any, TextIO

from runbook.script.narration import ending, told

STDERR = "stderr"
OUTPUT = ("stdout", STDERR)
SIDE = "┊ "
STDERR_SIDE = "┃ "
# A line of a frame that is not standard error of any run. The web app has the same pattern.
_NO_STDERR = re.compile(r"(?:┃ )*(?:┊ |┌ .+ run [0-9a-f-]{36}$|└ .+ after \d+\.\d s$)")


class Frame:
    """The frame of a called run: shows its events as they arrive. Never raises OSError."""

    def __init__(self, ref: str, stream: TextIO) -> None:
        self._ref = ref
        self._stream: TextIO | None = stream
        self._run_id = ""
        self._open = False
        self._began = 0.0
        self._begun_by = ""
        """What prints the line that hasn't ended, if any: `stdout` or `stderr`."""

    def show(self, event: Mapping[str, Any]) -> None:
        """Show an event. A run that was never queued gets no frame."""
        kind = event.get("type")
        if "run" in event and kind is None:
            self._run_id = str(event["run"])
        elif kind == "queued":
            self._begin()
        elif not self._open:
            return
        elif kind == "done":
            self._end(event)
        elif kind in OUTPUT:
            self._write(self._framed(str(event.get("text") or ""), str(kind)))
        elif kind != "child" and (line := told(event)):  # a child run prints its own frame
            self._write(f"{self._line_end()}{SIDE}{line}\n")

    def _begin(self) -> None:
        self._open, self._began = True, time.monotonic()
        self._write(f"┌ {self._ref} run {self._run_id}\n")

    def _end(self, done: Mapping[str, Any]) -> None:
        took = time.monotonic() - self._began
        self._write(f"{self._line_end()}└ {self._ref} {ending(done)} after {took:.1f} s\n")
        self._open = False

    def _framed(self, text: str, output: str) -> str:
        """The text with the frame's side before each line that starts in it."""
        if not text:
            return ""
        end = "" if self._begun_by == output else self._line_end()
        whole = text.endswith("\n")
        first, *others = text.removesuffix("\n").split("\n")
        begun = first if self._begun_by else _with_side(first, output)
        framed = "\n".join((begun, *(_with_side(line, output) for line in others)))
        self._begun_by = "" if whole else output
        return f"{end}{framed}\n" if whole else f"{end}{framed}"

    def _line_end(self) -> str:
        end = "\n" if self._begun_by else ""
        self._begun_by = ""
        return end

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            _silence(self._stream)
            self._stream = None
        except OSError:  # the disk is full: continue the call without output
            self._stream = None


def _with_side(line: str, output: str) -> str:
    """A called run's line; the frames of its own calls are on its standard error."""
    is_error = output == STDERR and not _NO_STDERR.match(line)
    return f"{STDERR_SIDE if is_error else SIDE}{line}"


def _silence(stream: TextIO) -> None:
    """Discard what the closed stream still buffers, which would fail again at exit."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), stream.fileno())
