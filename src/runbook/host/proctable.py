"""Other processes, as /proc shows them: who descends from whom, and how they are ended.

Linux only. Light to import: the guard loads it at every start, before anything else of ours.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

PATIENCE_S = 5.0
"""How long processes may take to die of SIGKILL before they are given up, in seconds."""

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_RECHECK_S = 0.005


class ProcessEntry:
    """One line of the process table. `started` counts clock ticks since the system's boot."""

    __slots__ = ("group", "parent", "pid", "session", "started", "state")

    def __init__(
        self, pid: int, state: str, parent: int, group: int, session: int, started: int
    ) -> None:
        self.pid = pid
        self.state = state
        self.parent = parent
        self.group = group
        self.session = session
        self.started = started

    @property
    def ended(self) -> bool:
        """Whether it is a zombie: over, and only waiting for its parent to look."""
        return self.state in "ZX"

    @property
    def identity(self) -> tuple[int, int]:
        """What tells it from a later process with the same number."""
        return self.pid, self.started


def read_process(pid: int) -> ProcessEntry | None:
    """The process with this number, or None if there is none."""
    line = read_proc(f"{pid}/stat")
    if not line:
        return None
    # The program's name stands in parentheses and may itself hold spaces and parentheses.
    fields = line[line.rindex(b")") + 2 :].split()
    parent, group, session = (int(field) for field in fields[1:4])
    return ProcessEntry(pid, fields[0].decode(), parent, group, session, int(fields[19]))


def read_proc(name: str) -> bytes:
    """A file below /proc; empty where the process is gone or not ours to look at."""
    try:
        with open(f"/proc/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - pathlib is heavy
            return file.readall()
    except OSError:
        return b""


def list_processes(first: int = 0) -> dict[int, ProcessEntry]:
    """All processes, or those with a number of at least `first`."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - as above
    entries = (read_process(pid) for pid in pids if pid >= first)
    return {entry.pid: entry for entry in entries if entry is not None}


def last_pid() -> int:
    """The number that was given to a new process last, or 0 if the system does not say."""
    fields = read_proc("loadavg").split()
    return int(fields[-1]) if fields else 0


def ticks_since_boot() -> int:
    """Now, in the unit of `ProcessEntry.started`."""
    nanoseconds_per_tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // nanoseconds_per_tick


def variable_of(pid: int, name: str) -> str | None:
    """A variable in the environment that a process was started with, if it can be read."""
    start = b"\0" + os.fsencode(name) + b"="
    _, found, rest = (b"\0" + read_proc(f"{pid}/environ")).partition(start)
    return os.fsdecode(rest.partition(b"\0")[0]) if found else None


def descendants(
    root: int, table: Mapping[int, ProcessEntry], keep: Collection[int] = ()
) -> list[ProcessEntry]:
    """What descends from `root`, except for the processes in `keep` and what descends from them."""
    verdicts = {root: True} | dict.fromkeys(keep, False)
    for pid in table:
        chain: list[int] = []
        current = pid
        while current not in verdicts and current in table and current not in chain:
            chain.append(current)
            current = table[current].parent
        verdicts.update(dict.fromkeys(chain, verdicts.get(current, False)))
    return [entry for pid, entry in table.items() if pid != root and verdicts[pid]]


def kill_until_gone(
    find: Callable[[], Iterable[ProcessEntry]],
    *,
    group: int | None = None,
    patience_s: float = PATIENCE_S,
) -> set[int]:
    """Kill what `find` returns, wait for its end, and look again, until nothing is found.

    Zombies that have become our children are reaped, each by its number. `group` is a process
    group to kill as a whole in every round: the kernel does that at one stroke, which ends a
    fork bomb. Returns the numbers of what was alive; what resists for `patience_s` is left.
    """
    deadline = time.monotonic() + patience_s
    killed: set[int] = set()
    immune: set[tuple[int, int]] = set()
    while True:
        found = [entry for entry in find() if entry.identity not in immune and not reap(entry)]
        if group is not None:
            _kill_group(group)
        if not found or time.monotonic() > deadline:
            return killed
        killed.update(entry.pid for entry in found)
        _await_end([_kill(entry, immune) for entry in found], deadline)


def reap(entry: ProcessEntry) -> bool:
    """Whether a process is over; if it is a zombie of ours, it is taken off the table."""
    if not entry.ended:
        return False
    if entry.parent != os.getpid():
        return True  # it comes to us when its parent, which is found as well, has been killed
    try:
        pid, _ = os.waitpid(entry.pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return pid != 0  # 0: its first thread has ended, others go on


def _kill(entry: ProcessEntry, immune: set[tuple[int, int]]) -> int | None:
    """SIGKILL. Returns a descriptor that becomes readable at the process's end, if it can."""
    descriptor = _pidfd(entry.pid)
    try:
        if is_same(entry):  # the descriptor now holds on to what was just looked at
            _send_kill(entry, descriptor)
    except ProcessLookupError:
        pass
    except PermissionError:  # a set-user-ID program
        immune.add(entry.identity)
    else:
        return descriptor
    if descriptor is not None:
        os.close(descriptor)
    return None


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (OSError, AttributeError):  # gone; or an old kernel, or a filter of system calls
        return None


def is_same(entry: ProcessEntry) -> bool:
    """Whether the number still belongs to the process that was seen."""
    current = read_process(entry.pid)
    return current is not None and current.started == entry.started


def _send_kill(entry: ProcessEntry, descriptor: int | None) -> None:
    if entry.group == entry.pid and entry.session != os.getsid(0):
        _kill_group(entry.group)  # a leader outside our session leads descendants only
    if descriptor is None:
        os.kill(entry.pid, signal.SIGKILL)
    else:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _await_end(descriptors: Iterable[int | None], deadline: float) -> None:
    """Wait until all have ended, or the deadline."""
    waiting = {descriptor for descriptor in descriptors if descriptor is not None}
    if not waiting:
        time.sleep(_RECHECK_S)  # nothing to wait on: a kernel without pidfd_open
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    try:
        pending = len(waiting)
        while pending and (left := deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                poll.unregister(descriptor)
                pending -= 1
    finally:
        for descriptor in waiting:
            os.close(descriptor)


def become_subreaper() -> None:
    """Descendants whose parent ends become children of this process instead of init's.

    Also makes sure that the end of children is kept for us to see. Call once, in the main
    thread. Raises OSError.
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # inherited; would lose exit codes
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def make_undumpable() -> None:
    """Nobody but root can read this process's memory or environment in /proc. Raises OSError."""
    _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    import ctypes  # late: only few processes need it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *(ctypes.c_ulong(number) for number in (value, 0, 0, 0))) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
