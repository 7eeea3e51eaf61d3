"""Shows a called run's output in a frame on the caller's standard error. Frames nest."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, TextIO

from runbook.script.narration import ending, told

OUTPUT = ("stdout", "stderr")
SIDE = "│ "


class Frame:
    """The frame of a called run: shows its events as they arrive. Never raises OSError."""

    def __init__(self, ref: str, stream: TextIO) -> None:
        self._ref = ref
        self._stream: TextIO | None = stream
        self._run_id = ""
        self._open = False
        self._began = 0.0
        self._inside_line = False

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
            self._write(self._framed(str(event.get("text") or "")))
        elif kind != "child" and (line := told(event)):  # a child run prints its own frame
            self._write(f"{self._line_end()}{SIDE}{line}\n")

    def _begin(self) -> None:
        self._open, self._began = True, time.monotonic()
        self._write(f"┌ {self._ref} run {self._run_id}\n")

    def _end(self, done: Mapping[str, Any]) -> None:
        took = time.monotonic() - self._began
        self._write(f"{self._line_end()}└ {self._ref} {ending(done)} after {took:.1f} s\n")
        self._open = False

    def _framed(self, text: str) -> str:
        """The text with the frame's side before each line that starts in it."""
        if not text:
            return ""
        begun, whole = "" if self._inside_line else SIDE, text.endswith("\n")
        self._inside_line = not whole
        framed = text.removesuffix("\n").replace("\n", f"\n{SIDE}")
        return f"{begun}{framed}\n" if whole else f"{begun}{framed}"

    def _line_end(self) -> str:
        end = "\n" if self._inside_line else ""
        self._inside_line = False
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


def _silence(stream: TextIO) -> None:
    """Discard what the closed stream still buffers, which would fail again at exit."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), stream.fileno())
