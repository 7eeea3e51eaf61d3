"""Runs one script to its end: starts it, passes on its output, stops it, leaves nothing behind.

Everything happens in the calling thread, which sleeps until there is something to do: output,
the script's end, a request to stop, or a moment that was set beforehand.
"""

from __future__ import annotations

import errno
import os
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Protocol, Self, cast

from runbook.core.events import EventType
from runbook.engine.process.family import RUN_MARK, Families, Family, ProcessStartError
from runbook.engine.process.limits import ScriptLimits
from runbook.engine.process.stop import Stop, StopReason

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
"""As much as a pipe holds."""

LONGEST_WAIT_S = 3600.0
"""Nothing waits longer at a time: the kernel counts milliseconds in 32 bits."""

_GIVE_UP_S = 5.0
_READS_AFTER_END = 64


Channels = Sequence[tuple[int, Callable[[], object]]]
"""Descriptors, each with what is called when it is readable."""


class OutputSink(Protocol):
    """Takes a script's output. Whatever it raises ends the script, and is raised again."""

    def write(self, stream: EventType, data: bytes) -> None:
        """Take bytes of EventType.STDOUT or STDERR as they come: not by line or character."""

    def due_at(self) -> float | None:
        """When `flush` must be called next, as time.monotonic() counts; None: not at all."""

    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. `env` is the whole environment; the run's mark is added to it.

    `channels` are watched while it runs, besides its output.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    umask: int = 0o022
    channels: Channels = ()


@dataclass(frozen=True, slots=True)
class Grace:
    """Seconds that a script has after SIGINT, then after SIGTERM, before SIGKILL.

    `drain_s` is how long output is read after the script's own end, where something that it
    left running holds the pipe.
    """

    interrupt_s: float = 7.5
    terminate_s: float = 2.5
    drain_s: float = 1.0

    @property
    def total_s(self) -> float:
        return self.interrupt_s + self.terminate_s + self.drain_s


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended: `return_code` is -N where signal N killed it.

    `stopped` says why it was told to end, if it was. `leftovers_killed` counts the processes
    that were still alive after the script itself.
    """

    return_code: int
    stopped: StopReason | None
    duration_s: float
    leftovers_killed: int


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
    """Run a command to its end; nothing that it started is alive afterwards.

    A stop that was requested before is obeyed without starting anything. Raises
    ProcessStartError, and whatever the sink raises.
    """
    began = time.monotonic()
    if stop.reason is not None:
        return Ended(-signal.SIGINT, stop.reason, 0.0, 0)
    with families.family(run_id, command.cwd) as family:
        child = _Child(_start(command, run_id, limits or ScriptLimits()), family)
        try:
            with _Pump(child, sink, stop, began + timeout_s, grace or Grace()) as pump:
                pump.run(command.channels)
        finally:
            child.end()
    return Ended(child.return_code, pump.stopped, time.monotonic() - began, child.leftovers)


def _start(command: Command, run_id: str, limits: ScriptLimits) -> subprocess.Popen[bytes]:
    # No preexec_fn and no user=: with either, Python forks instead of the much cheaper vfork.
    try:
        return subprocess.Popen(
            limits.wrap(command.argv),
            env={**command.env, RUN_MARK: run_id},
            cwd=command.cwd,
            umask=command.umask,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ProcessStartError(f"The script could not be started: {_reason(error)}") from error


def _reason(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)  # a NUL byte in a value
    if error.errno == errno.E2BIG:
        return "the inputs are too large (128 KiB for one, 2 MiB for all of them)"
    name = Path(os.fsdecode(error.filename)).name if error.filename else ""
    return f"{name}: {error.strerror}" if name else error.strerror or str(error)


class _Child:
    """The script's process and its family. It is reaped last: until then its number is its own."""

    def __init__(self, process: subprocess.Popen[bytes], family: Family) -> None:
        family.lead(process.pid)
        self.process = process
        self.family = family
        self.return_code: int = -signal.SIGKILL
        self.exited = False
        self.leftovers = 0
        self._alone = False

    def pipes(self) -> list[tuple[EventType, IO[bytes]]]:
        out, err = self.process.stdout, self.process.stderr
        return [(EventType.STDOUT, cast(IO[bytes], out)), (EventType.STDERR, cast(IO[bytes], err))]

    def note_exit(self) -> None:
        """Look at how the process ended, without taking it off the process table."""
        self.exited = True
        with suppress(ChildProcessError):  # SIGCHLD is ignored: see become_subreaper
            how = os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
            if how is not None:
                exited = how.si_code == os.CLD_EXITED
                self.return_code = how.si_status if exited else -how.si_status

    def kill(self) -> None:
        """Kill all that is alive."""
        self.leftovers += self.family.kill()

    def kill_leftovers(self) -> None:
        self.kill()
        self._alone = True

    def end(self) -> None:
        """Leave nothing: no process, no zombie, no open pipe."""
        try:
            if not self._alone:
                self.kill()
        finally:
            for _, pipe in self.pipes():
                pipe.close()
            self.process.poll()


class _Pump:
    """Waits for what happens next and does what follows from it."""

    _UNTIL_KILLED: ClassVar = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

    def __init__(
        self, child: _Child, sink: OutputSink, stop: Stop, deadline: float, grace: Grace
    ) -> None:
        self.stopped: StopReason | None = None
        self._child = child
        self._sink = sink
        self._stop = stop
        self._drain_s = grace.drain_s
        waits = (grace.interrupt_s, grace.terminate_s, _GIVE_UP_S)
        self._signals = deque(zip(self._UNTIL_KILLED, waits, strict=True))
        self._due = deadline
        """When, by time.monotonic(), the next signal is sent; after the exit: the drain's end."""
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
        """The moment has come: of the next signal, or of the end of our patience."""
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
            self._over = True  # the script has ended by itself; what it left need not be heard
            return
        while self._stop.at_once and len(self._signals) > 1:
            self._signals.popleft()
        if self._stop.at_once or self.stopped is None:
            self._due = time.monotonic()
        self.stopped = self.stopped or self._stop.reason

    def _exited(self) -> None:
        self._child.note_exit()
        self._selector.unregister(cast(int, self._exit))
        self._due = time.monotonic() + self._drain_s

    def _read(self, stream: EventType) -> bool:
        """Pass on what is there; False if there is nothing, now or for ever."""
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
        """What was printed until the last process was killed; bounded, for pipes can be shared."""
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
    receiving, sending = os.pipe()  # an old kernel, or a filter of system calls
    threading.Thread(target=_close_at_exit, args=(pid, sending), daemon=True).start()
    return receiving


def _close_at_exit(pid: int, descriptor: int) -> None:
    with suppress(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    os.close(descriptor)
