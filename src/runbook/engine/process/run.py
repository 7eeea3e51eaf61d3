"""Runs one script to its end: starts it, forwards its output, stops it, and cleans up.

Everything happens in the calling thread, which sleeps until there is something to do: output,
the script's end, a request to stop, or a deadline.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import IO, ClassVar, Protocol, Self, cast

from runbook.core.events import EventType
from runbook.engine.process.child import Child
from runbook.engine.process.family import Families
from runbook.engine.process.limits import ScriptLimits
from runbook.engine.process.report import Report
from runbook.engine.process.start import Channels, Command, ProcessStartError, start
from runbook.engine.process.stop import Stop, StopReason
from runbook.host.proctable import ProcessEntry
from runbook.quick_dataclass import dataclass

__all__ = [
    "Command",
    "Ended",
    "Grace",
    "OutputSink",
    "ProcessStartError",
    "Stop",
    "StopReason",
    "run_process",
]

READ_BYTES = 65_536
"""The capacity of a pipe, in bytes."""

LONGEST_WAIT_S = 3600.0
"""Maximum time of one wait: the kernel counts milliseconds in 32 bits."""

_GIVE_UP_S = 5.0
_READS_AFTER_END = 64


class OutputSink(Protocol):
    """Receives a script's output. An exception ends the script and is raised again."""

    def prepare(self) -> None:
        """Called after the start unless other scripts are running, which would have to wait."""

    def write(self, stream: EventType, data: bytes) -> None:
        """Receive bytes of EventType.STDOUT or STDERR as they come, not by line or character."""

    def due_at(self) -> float | None:
        """When to call `flush` next, in time.monotonic() seconds; None for never."""

    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Grace:
    """Seconds between SIGINT and SIGTERM, and between SIGTERM and SIGKILL.

    `drain_s` is how long output is read after the script's end if a process that it
    left running keeps the pipe open.
    """

    interrupt_s: float = 7.5
    terminate_s: float = 2.5
    drain_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended: `return_code` is -N if signal N killed it.

    `stopped` is the reason to stop it, if any. `background` are the processes that a script which
    ended by itself had left, and that were killed.
    """

    return_code: int
    stopped: StopReason | None
    background: Sequence[ProcessEntry] = ()


def run_process(
    command: Command,
    *,
    sink: OutputSink,
    stop: Stop,
    timeout_s: float,
    run_id: str,
    families: Families,
    grace: Grace | None = None,
    limits: ScriptLimits | None = None,
) -> Ended:
    """Run a command to its end and kill every process that it left.

    If a stop was requested before, nothing is started. Raises
    ProcessStartError, and whatever the sink raises.
    """
    deadline = time.monotonic() + timeout_s
    if stop.reason is not None:
        return Ended(-signal.SIGINT, stop.reason)
    with families.family(run_id, command.cwd) as family:
        process, report = start(command, run_id, limits or ScriptLimits())
        child = Child(process, family, report)
        try:
            with _Pump(child, sink, stop, deadline, grace or Grace()) as pump:
                if not families.others(family):
                    sink.prepare()
                pump.run(command.channels)
            if pump.stopped is None:
                child.check_start()
        finally:
            child.end()
    return Ended(child.return_code, pump.stopped, child.background)


class _Pump:
    """Waits for events and handles them."""

    _UNTIL_KILLED: ClassVar = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

    def __init__(
        self, child: Child, sink: OutputSink, stop: Stop, deadline: float, grace: Grace
    ) -> None:
        self.stopped: StopReason | None = None
        self._child = child
        self._sink = sink
        self._stop = stop
        self._drain_s = grace.drain_s
        waits = (grace.interrupt_s, grace.terminate_s, _GIVE_UP_S)
        self._signals = deque(zip(self._UNTIL_KILLED, waits, strict=True))
        self._due = deadline
        """When the next signal is due, by time.monotonic(); after the exit, when draining ends."""
        self._over = False
        self._pipes: dict[EventType, IO[bytes]] = {}
        self._exit: int | None = None
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._selector.close()
        if self._exit is not None:
            os.close(self._exit)

    def run(self, channels: Channels) -> None:
        self._watch()
        for descriptor, action in channels:
            self._on(descriptor, action)
        while not self._over and (self._pipes or not self._child.exited):
            for key, _ in self._selector.select(self._patience()):
                key.data()
            self._tend()
        self._child.kill_leftovers()
        self._read_rest()

    def _watch(self) -> None:
        for stream, pipe in self._child.pipes():
            os.set_blocking(pipe.fileno(), False)
            self._pipes[stream] = pipe
            self._on(pipe, partial(self._read, stream))
        self._exit = _exit_descriptor(self._child.process.pid)
        self._on(self._exit, self._exited)
        if self._child.report is not None:
            self._on(self._child.report.descriptor, self._reported)
        self._on(self._stop, self._asked_to_stop)

    def _on(self, source: IO[bytes] | Stop | int, action: Callable[[], object]) -> None:
        self._selector.register(source, selectors.EVENT_READ, action)

    def _patience(self) -> float:
        due = self._sink.due_at()
        left = (self._due if due is None else min(due, self._due)) - time.monotonic()
        return min(left, LONGEST_WAIT_S)

    def _tend(self) -> None:
        now = time.monotonic()
        due = self._sink.due_at()
        if due is not None and due <= now:
            self._sink.flush()
        if self._due <= now:
            self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Handle the deadline: send the next signal, or stop draining."""
        if self._child.exited or not self._signals:
            self._over = True
            return
        self.stopped = self.stopped or StopReason.TIMEOUT
        number, wait_s = self._signals.popleft()
        if number is signal.SIGKILL:
            self._child.kill()
        else:
            self._child.family.signal(number)
        self._due = now + wait_s

    def _asked_to_stop(self) -> None:
        self._stop.acknowledge()
        if self._child.exited:
            # The script has ended by itself; output of the processes that it left is dropped.
            self._over = True
            return
        while self._stop.at_once and len(self._signals) > 1:
            self._signals.popleft()
        if self._stop.at_once or self.stopped is None:
            self._due = time.monotonic()
        self.stopped = self.stopped or self._stop.reason

    def _exited(self) -> None:
        self._selector.unregister(cast(int, self._exit))
        if not self._child.exited:
            self._child.note_exit()
            self._due = time.monotonic() + self._drain_s

    def _reported(self) -> None:
        """A sandbox says that its script has ended; what that left is still there."""
        before = self._child.exited
        if not self._child.note_report():
            self._selector.unregister(cast(Report, self._child.report).descriptor)
        if self._child.exited and not before:
            self._due = time.monotonic() + self._drain_s

    def _read(self, stream: EventType) -> bool:
        """Forward the available output; False if there is none."""
        pipe = self._pipes[stream]
        try:
            data = os.read(pipe.fileno(), READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._sink.write(stream, data)
            return True
        del self._pipes[stream]
        self._selector.unregister(pipe)
        return False

    def _read_rest(self) -> None:
        """The output until the last process was killed; limited, since pipes can be shared."""
        for stream in tuple(self._pipes):
            for _ in range(_READS_AFTER_END):
                if not self._read(stream):
                    break


def _exit_descriptor(pid: int) -> int:
    """A descriptor that becomes readable when the child has ended."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
    receiving, sending = os.pipe()  # an old kernel, or a seccomp filter
    threading.Thread(target=_close_at_exit, args=(pid, sending), daemon=True).start()
    return receiving


def _close_at_exit(pid: int, descriptor: int) -> None:
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    os.close(descriptor)
