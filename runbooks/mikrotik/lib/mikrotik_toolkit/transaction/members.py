"""The devices of a transaction: each in a thread of its own, and what is told of each."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Generic, TextIO, TypeVar

import runbook
from mikrotik_toolkit import current, showing
from runbook.errors import RunbookError

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """What the table says of a device."""

    device: str
    state: str
    phase: str
    message: str = ""


@dataclass(frozen=True)
class Done(Generic[T]):
    """What was done on devices. Those in neither were not begun, as others had failed."""

    results: Mapping[str, T] = field(default_factory=dict)
    errors: Mapping[str, RunbookError] = field(default_factory=dict)

    def rows(self, devices: Iterable[str], phase: str) -> list[Row]:
        return [self._row(device, phase) for device in devices]

    def _row(self, device: str, phase: str) -> Row:
        if device in self.errors:
            error = self.errors[device]
            return Row(device, "failed", phase, f"{error.code}: {error.message}")
        return Row(device, "done" if device in self.results else "not begun", phase)

    @property
    def reason(self) -> str:
        """The code of the first error."""
        return next((str(error.code) for error in self.errors.values()), "")

    @property
    def text(self) -> str:
        """The first error, and how many there are."""
        device, error = next(iter(self.errors.items()))
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        return f"{device}: {error.message}{more}"


@dataclass(frozen=True)
class Span:
    """The part of a run's progress, in per cent, that a phase takes, and what it is called."""

    start: float
    end: float
    text: str


class Stop(threading.Event):
    """Set once a device has failed: what was not begun is left out, and nobody waits any longer."""


def each(
    devices: Sequence[str],
    work: Callable[[str], T],
    at_once: int,
    span: Span | None = None,
    stop: Stop | None = None,
) -> Done[T]:
    """Work on the devices, so many at once. RunbookErrors are collected; the first one stops it.

    Without `stop`, it goes on with the others.
    """
    results: dict[str, T] = {}
    errors: dict[str, RunbookError] = {}

    def one(device: str) -> T | None:
        if stop is not None and stop.is_set():
            return None
        with current.on(device):
            return work(device)

    with ThreadPoolExecutor(max(1, min(at_once, len(devices)))) as pool, _prefixed():
        asked: dict[Future[T | None], str] = {pool.submit(one, it): it for it in devices}
        for number, future in enumerate(as_completed(asked), start=1):
            device = asked[future]
            try:
                found = future.result()
                if found is not None:
                    results[device] = found
            except RunbookError as error:
                print(f"{device}: {error.message}", flush=True)
                errors[device] = error
                if stop is not None:
                    stop.set()
            if span is not None:
                percent = span.start + (span.end - span.start) * number / len(devices)
                runbook.progress(percent, f"{span.text}: {number} of {len(devices)}")
    return Done(results, errors)


class _Prefixed(io.TextIOBase):
    """Standard output, with the device at the beginning of each line of its thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._mine = threading.local()

    def write(self, text: str) -> int:
        device = current.one_of_several()
        if not device:
            return self._stream.write(text)
        *lines, rest = (getattr(self._mine, "begun", "") + text).split("\n")
        self._mine.begun = rest
        for line in lines:
            self._stream.write(f"{device}: {line}\n")
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


@contextmanager
def _prefixed() -> Iterator[None]:
    if isinstance(sys.stdout, _Prefixed):
        yield
        return
    before = sys.stdout
    sys.stdout = _Prefixed(before)
    try:
        yield
    finally:
        sys.stdout = before


def given() -> list[str]:
    """The devices of the runbook's input."""
    found: list[str] = json.loads(os.environ[current.DEVICES])
    return found


def tell(rows: Sequence[Row], *, summary: bool = False) -> None:
    """The table as an output; in the end, also in the summary."""
    runbook.output("devices", [asdict(row) for row in rows])
    if summary:
        lines = [(row.device, row.state, row.phase, row.message) for row in rows]
        showing.table(("device", "state", "phase", "message"), lines)
