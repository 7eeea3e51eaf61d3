"""A guardian kills what an engine process leaves behind.

It is the parent of the engine process. When that ends, even by SIGKILL, its scripts become the
guardian's children and are killed. A pipe tells the engine process if the guardian dies first.

Imports only light modules, because this runs at every start.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Mapping, Sequence

from runbook.host.proctable import (
    become_subreaper,
    descendants,
    kill_until_gone,
    list_processes,
    make_undumpable,
)
from runbook.host.sealing import descriptor_from, pass_environment
from runbook.host.signals import STRAY, ignored_at_start

__all__ = [
    "LIFELINE_FD",
    "EngineProcess",
    "guard",
    "guard_program",
    "make_undumpable",
    "spawn_engine",
    "sweep_descendants",
    "take_lifeline",
    "watch_lifeline",
]

LIFELINE_FD = "RUNBOOK_LIFELINE_FD"
"""The variable with the descriptor that reaches end of file when the guardian dies."""

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class EngineProcess:
    """An engine process and the pipe that tells it whether its guardian is alive."""

    def __init__(self, pid: int, lifeline: int) -> None:
        self.pid = pid
        self._lifeline = lifeline

    def signal(self, number: int) -> None:
        """Send a signal; does nothing if the process has ended."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return

    def wait(self) -> int:
        """Wait until it ends. Returns its exit code, or 128 + N if signal N killed it."""
        _, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def close(self) -> None:
        """Close the pipe. A running engine process takes this for the guardian's death."""
        os.close(self._lifeline)


def spawn_engine(
    argv: Sequence[str], environment: Mapping[str, str], *, own_group: bool = False
) -> EngineProcess:
    """Start an engine process with a sealed environment, a lifeline and our standard streams.

    `argv[0]` is a path. Signals that are blocked or handled here have their default action there.
    With `own_group`, signals from the terminal don't reach it. Call this only from a process with
    one thread, because descriptors are inheritable for a moment. Raises OSError.
    """
    sealed, environ = pass_environment(environment)
    far_end, lifeline = os.pipe()
    try:
        for descriptor in (sealed, far_end):
            os.set_inheritable(descriptor, True)
        environ[LIFELINE_FD] = str(far_end)
        pid = _spawn(list(argv), environ, own_group=own_group)
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(sealed)
        os.close(far_end)
    return EngineProcess(pid, lifeline)


def _spawn(argv: list[str], environ: Mapping[str, str], *, own_group: bool) -> int:
    if own_group:
        return os.posix_spawn(argv[0], argv, environ, setsigmask=(), setpgroup=0)
    return os.posix_spawn(argv[0], argv, environ, setsigmask=())


def sweep_descendants(keep: Collection[int] = ()) -> int:
    """Kill and reap all descendants of this process, except `keep` and their descendants.

    Repeats until none is left. Returns the number that were alive.
    """
    if not _has_children():
        return 0
    own_pid = os.getpid()
    return len(kill_until_gone(lambda: descendants(own_pid, list_processes(), keep)))


def _has_children() -> bool:
    """Whether a subreaper has descendants at all; saves reading the process table."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def guard() -> int | None:
    """Make a copy of this process the engine process, and guard it as `guard_program` does.

    Returns None in the engine process. For a program with one thread and a sealed environment that
    hasn't imported the engine yet: the guardian stays small, and Python isn't started once more.
    """
    forwarded = _become_guardian()
    engine = _fork_engine()
    return None if engine is None else _attend_and_sweep(engine, forwarded)


def guard_program(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Start an engine process, forward signals to it, and kill the processes that it leaves.

    Signals that this process was started to ignore, as by `nohup`, are not forwarded. For the main
    thread of a process that does nothing else. Returns the exit code.
    """
    forwarded = _become_guardian()
    return _attend_and_sweep(spawn_engine(argv, environment), forwarded)


def _become_guardian() -> frozenset[int]:
    """Returns the signals to forward. They and others are blocked from now on."""
    become_subreaper()
    make_undumpable()
    forwarded = frozenset(_FORWARDED) - ignored_at_start(_FORWARDED)
    # Blocked, so that none is lost and each one's sender is known.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, *STRAY, signal.SIGCHLD})
    return forwarded


def _attend_and_sweep(engine: EngineProcess, forwarded: Collection[int]) -> int:
    try:
        code = _attend(engine, forwarded)
    finally:
        engine.close()
        sweep_descendants()
    return code


def _fork_engine() -> EngineProcess | None:
    """Start a copy of this process with a lifeline. Returns None in the copy."""
    far_end, lifeline = os.pipe()
    pid = os.fork()
    if pid:
        os.close(far_end)
        return EngineProcess(pid, lifeline)
    os.close(lifeline)
    os.environ[LIFELINE_FD] = str(far_end)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return None


def _attend(engine: EngineProcess, forwarded: Collection[int]) -> int:
    """Forward signals until the engine process has ended.

    Signals from the terminal (Ctrl-C, a hang-up) have already reached the engine, which is in the
    same process group. The kernel marks them as its own.
    """
    while True:
        arrived = signal.sigwaitinfo({*_FORWARDED, *STRAY, signal.SIGCHLD})
        if arrived.si_signo == signal.SIGCHLD:
            if _has_ended(engine.pid):
                return engine.wait()
        elif arrived.si_signo in forwarded and arrived.si_code <= 0:
            engine.signal(arrived.si_signo)


def _has_ended(pid: int) -> bool:
    """Whether this child has ended. Reaps other zombies, which are orphans."""
    while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if ended.si_pid == pid:
            return True
        os.waitpid(ended.si_pid, 0)
    return False


def take_lifeline() -> int | None:
    """In an engine process: the lifeline's descriptor, no longer inheritable."""
    descriptor = descriptor_from(LIFELINE_FD)
    if descriptor is None:
        return None
    os.environ.pop(LIFELINE_FD)
    try:
        os.set_inheritable(descriptor, False)
    except OSError:  # something else set the variable
        return None
    return descriptor


def watch_lifeline(descriptor: int, on_lost: Callable[[], object]) -> None:
    """Call `on_lost` from another thread when the guardian dies."""
    import threading

    def watch() -> None:
        while os.read(descriptor, 1):
            pass
        on_lost()

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
