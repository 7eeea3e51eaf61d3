"""Protects secrets and scripts before the engine starts: a sealed environment and a guardian.

Every process of the same user, including scripts, can read a process's environment in /proc. So
`seal_environment` copies it to a file in memory and restarts the program, in the same process,
with an environment that has no secrets.

A guardian is the parent of an engine process. When the engine process ends, even by SIGKILL, its
scripts become the guardian's children and are killed. A pipe tells the engine process if the
guardian dies first.

Imports only light modules, because this runs at every start.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence

from runbook.host.lines import open_standard_streams
from runbook.host.proctable import (
    become_subreaper,
    descendants,
    kill_until_gone,
    list_processes,
    make_undumpable,
)
from runbook.host.signals import STRAY, ignored_at_start

__all__ = [
    "LIFELINE_FD",
    "SEALED_FD",
    "EngineProcess",
    "guard",
    "guard_program",
    "make_undumpable",
    "pass_environment",
    "seal_environment",
    "spawn_engine",
    "sweep_descendants",
    "take_lifeline",
    "watch_lifeline",
]

SEALED_FD = "RUNBOOK_SEALED_FD"
"""The variable with the descriptor of the sealed environment."""

LIFELINE_FD = "RUNBOOK_LIFELINE_FD"
"""The variable with the descriptor that reaches end of file when the guardian dies."""

_MAGIC = b"runbook environment\0"
_SYSTEM_NAMES = frozenset({"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR"})
_CERTIFICATE_NAMES = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR"})
_TERMINAL_NAMES = frozenset({"TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR"})
_OPEN_NAMES = _SYSTEM_NAMES | _CERTIFICATE_NAMES | _TERMINAL_NAMES
_OPEN_PREFIXES = ("LC_", "LD_", "MALLOC_", "PYTHON", "COVERAGE_", "COV_CORE_")
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_READ_BYTES = 1 << 20


def seal_environment() -> Mapping[str, str]:
    """Hide the environment from /proc and return it.

    Must be the first thing that a program does: the first call restarts the program, and only the
    second one returns. Raises OSError if the program can't be restarted.
    """
    open_standard_streams()
    descriptor = _descriptor_from(SEALED_FD)
    sealed = _read_sealed(descriptor)
    if descriptor is None or sealed is None:
        return _start_again()
    os.environ.pop(SEALED_FD)
    os.close(descriptor)
    return sealed


def pass_environment(mapping: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """The descriptor of a sealed environment, and the environment to start a child with.

    The child must inherit the descriptor under the same number; the caller closes its own copy.
    """
    descriptor = _write_sealed(mapping)
    open_part = {name: value for name, value in mapping.items() if _is_open(name)}
    return descriptor, open_part | {SEALED_FD: str(descriptor)}


def _start_again() -> Mapping[str, str]:
    """Restart the program in this process. Never returns."""
    descriptor, environment = pass_environment(os.environ)
    os.set_inheritable(descriptor, True)
    # By its path, because Python finds its virtual environment from it.
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606


def _is_open(name: str) -> bool:
    return name in _OPEN_NAMES or name.startswith(_OPEN_PREFIXES)


def _descriptor_from(name: str) -> int | None:
    text = os.environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _write_sealed(mapping: Mapping[str, str]) -> int:
    pairs = (os.fsencode(name) + b"=" + os.fsencode(value) for name, value in mapping.items())
    content = memoryview(_MAGIC + b"\0".join(pairs))
    descriptor = _anonymous_file()
    while content:
        content = content[os.write(descriptor, content) :]
    return descriptor


def _anonymous_file() -> int:
    try:
        return os.memfd_create("runbook-environment", os.MFD_CLOEXEC)
    except (AttributeError, OSError):  # another C library, or a system call filter
        import tempfile

        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - pathlib is heavy
        return descriptor


def _read_sealed(descriptor: int | None) -> dict[str, str] | None:
    """The environment in a descriptor, read without moving its offset; None if there is none."""
    if descriptor is None:
        return None
    content = b""
    try:
        while chunk := os.pread(descriptor, _READ_BYTES, len(content)):
            content += chunk
            if not content.startswith(_MAGIC):
                return None
    except OSError:  # closed, or a pipe: something else set the variable
        return None
    if not content:
        return None
    pairs = content.removeprefix(_MAGIC).split(b"\0")
    parts = (os.fsdecode(pair).partition("=") for pair in pairs if pair)
    return {name: value for name, _, value in parts}


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
    own_pid = os.getpid()
    return len(kill_until_gone(lambda: descendants(own_pid, list_processes(), keep)))


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
    descriptor = _descriptor_from(LIFELINE_FD)
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
