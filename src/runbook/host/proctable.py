"""Finds processes and their descendants in /proc, and kills them.

Linux only. Light to import, because `guard` loads it at every start.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress

PATIENCE_S = 5.0
"""How long to wait for processes to end after SIGKILL, in seconds."""

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_RECHECK_S = 0.005


class ProcessEntry:
    """One process of the process table.

    `started` is in clock ticks since boot. `name` is the program's, cut to 15 bytes, without its
    arguments; `terminal` is the device number of its terminal, 0 without one.
    """

    __slots__ = ("group", "name", "parent", "pid", "session", "started", "state", "terminal")

    def __init__(
        self,
        pid: int,
        state: str,
        parent: int,
        group: int,
        session: int,
        started: int,
        *,
        name: str = "",
        terminal: int = 0,
    ) -> None:
        self.pid = pid
        self.state = state
        self.parent = parent
        self.group = group
        self.session = session
        self.started = started
        self.name = name
        self.terminal = terminal

    def with_pid(self, pid: int) -> ProcessEntry:
        return ProcessEntry(
            pid,
            self.state,
            self.parent,
            self.group,
            self.session,
            self.started,
            name=self.name,
            terminal=self.terminal,
        )

    @property
    def ended(self) -> bool:
        """Whether it has ended and is a zombie until its parent reaps it."""
        return self.state in "ZX"

    @property
    def identity(self) -> tuple[int, int]:
        """Distinguishes it from a later process with the same PID."""
        return self.pid, self.started


def innermost_pid(pid: int) -> int | None:
    """The ID of a process in its own PID namespace, or None if it is gone."""
    _, found, rest = read_proc(f"{pid}/status").partition(b"\nNSpid:")
    return int(rest.partition(b"\n")[0].split()[-1]) if found else None


def read_process(pid: int) -> ProcessEntry | None:
    """The process with this PID, or None if there is none."""
    line = read_proc(f"{pid}/stat")
    if not line:
        return None
    # The program's name is in parentheses and may itself contain spaces and parentheses.
    end = line.rindex(b")")
    fields = line[end + 2 :].split()
    parent, group, session, terminal = (int(field) for field in fields[1:5])
    return ProcessEntry(
        pid,
        fields[0].decode(),
        parent,
        group,
        session,
        int(fields[19]),
        name=line[line.index(b"(") + 1 : end].decode("utf-8", "replace"),
        terminal=terminal,
    )


def read_proc(name: str) -> bytes:
    """A file below /proc; empty if the process is gone or we may not read it."""
    try:
        with open(f"/proc/{name}", "rb", buffering=0) as file:  # noqa: PTH123 - pathlib is heavy
            return file.readall()
    except OSError:
        return b""


def list_processes(first: int = 0) -> dict[int, ProcessEntry]:
    """All processes, or those with a PID of at least `first`."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - as above
    entries = (read_process(pid) for pid in pids if pid >= first)
    return {entry.pid: entry for entry in entries if entry is not None}


def last_pid() -> int:
    """The PID of the newest process, or 0 if it is unknown."""
    fields = read_proc("loadavg").split()
    return int(fields[-1]) if fields else 0


def ticks_since_boot() -> int:
    """Now, in the unit of `ProcessEntry.started`."""
    nanoseconds_per_tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // nanoseconds_per_tick


def variable_of(pid: int, name: str) -> str | None:
    """A variable of the environment that a process was started with, if we may read it."""
    start = b"\0" + os.fsencode(name) + b"="
    _, found, rest = (b"\0" + read_proc(f"{pid}/environ")).partition(start)
    return os.fsdecode(rest.partition(b"\0")[0]) if found else None


def descendants(
    root: int, table: Mapping[int, ProcessEntry], keep: Collection[int] = ()
) -> list[ProcessEntry]:
    """The descendants of `root`, except the processes in `keep` and their descendants."""
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
    grace_s: float = 0.0,
) -> set[int]:
    """Kill the processes that `find` returns and wait for them, until it finds none.

    Those found first have `grace_s` to end by themselves.

    Reaps zombies that have become our children, each by PID. `group` is a process group to kill
    as a whole in every round: the kernel kills it atomically, which stops a fork bomb. Returns the
    PIDs that were alive; gives up after `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    killed: set[int] = set()
    immune: set[tuple[int, int]] = set()
    if grace_s:
        pidfds = [_pidfd(entry.pid) for entry in find()]
        if pidfds:
            _await_end(pidfds, time.monotonic() + grace_s)
    while True:
        found = [entry for entry in find() if entry.identity not in immune and not reap(entry)]
        if group is not None:
            _kill_group(group)
        if not found or time.monotonic() > deadline:
            return killed
        killed.update(entry.pid for entry in found)
        _await_end([_kill(entry, immune) for entry in found], deadline)


def reap(entry: ProcessEntry) -> bool:
    """Whether a process has ended; reaps it if it is our zombie."""
    if not entry.ended:
        return False
    if entry.parent != os.getpid():
        return True  # it becomes our child once its parent, also found, has been killed
    try:
        pid, _ = os.waitpid(entry.pid, os.WNOHANG)
    except ChildProcessError:
        return True
    return pid != 0  # 0: its first thread has ended, others haven't


def _kill(entry: ProcessEntry, immune: set[tuple[int, int]]) -> int | None:
    """Send SIGKILL. Returns a descriptor that becomes readable when the process ends, if any."""
    descriptor = _pidfd(entry.pid)
    try:
        if is_same(entry):  # so the descriptor refers to the process that was found
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
    except (OSError, AttributeError):  # ended, or an old kernel, or a system call filter
        return None


def is_same(entry: ProcessEntry) -> bool:
    """Whether the PID still belongs to the process that was found."""
    current = read_process(entry.pid)
    return current is not None and current.started == entry.started


def _send_kill(entry: ProcessEntry, descriptor: int | None) -> None:
    if entry.group == entry.pid and entry.session != os.getsid(0):
        _kill_group(entry.group)  # the group of a leader outside our session has only descendants
    if descriptor is None:
        os.kill(entry.pid, signal.SIGKILL)
    else:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _await_end(descriptors: Iterable[int | None], deadline: float) -> None:
    """Wait until all have ended or the deadline has passed."""
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
    """Make orphaned descendants children of this process instead of init's.

    Also makes sure that exit statuses of children are kept until we read them. Call once, in the
    main thread. Raises OSError.
    """
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # inherited; exit codes would be lost
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def make_undumpable() -> None:
    """Let only root read this process's memory and environment in /proc. Raises OSError."""
    _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    import ctypes  # imported late: few processes need it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, *(ctypes.c_ulong(number) for number in (value, 0, 0, 0))) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
