"""Starts a script's process: as it is, or inside a sandbox."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Protocol

from runbook.engine.process.family import RUN_MARK
from runbook.engine.process.limits import ScriptLimits
from runbook.engine.process.report import Report
from runbook.errors import RunbookError
from runbook.quick_dataclass import dataclass

UMASK = 0o022
SHELL = "/bin/sh"
INIT = """
umask 022
trap : INT TERM HUP QUIT
echo up >&2
(exec "$@" </dev/null >&3 2>&4 3>&- 4>&- 5>&-)
code=$?
exec 3>&- 4>&-
echo "exit $code" >&2
kill -0 -1 2>/dev/null && read -r _ <&5
exit $code
"""
"""The first process of a sandbox. It starts the script and reports how it ended, as exit codes of
bubblewrap don't tell a signal from an exit: shells write a signal's name to their standard error,
which is the report. While other processes are left, it waits until the engine ends them all.
"""

_STANDARD, _OUT, _ERR, _CONTROL, _ARGUMENTS = 2, 3, 4, 5, 6
"""The descriptors of a sandbox. The lowest is the report; a shell knows only those up to 9."""
_ABOVE = 10
_RESTORED = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them, which programs would inherit."""

Channels = Sequence[tuple[int, Callable[[], object]]]
"""Descriptors, each with the function to call when it is readable."""


class ProcessStartError(RunbookError):
    """The script couldn't be started."""

    code = "process_start_failed"
    exit_code = 71


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a script's command is put into.

    `prefix` is a command that becomes the one that follows it. `sandbox` is bubblewrap with its
    options; None without one.
    """

    prefix: Sequence[str] = ()
    sandbox: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """The command to start. `env` is the whole environment, to which the run's mark is added.

    `channels` are watched along with its output.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    channels: Channels = ()
    confinement: Confinement = Confinement()


class Started(Protocol):
    """A process that was started. `report` is the one of its sandbox."""

    @property
    def pid(self) -> int: ...

    @property
    def stdout(self) -> IO[bytes] | None: ...

    @property
    def stderr(self) -> IO[bytes] | None: ...

    def poll(self) -> int | None: ...


def start(command: Command, run_id: str, limits: ScriptLimits) -> tuple[Started, Report | None]:
    """Raises ProcessStartError."""
    try:
        if command.confinement.sandbox is None:
            return _plain(command, run_id, limits), None
        return _sandboxed(command, command.confinement.sandbox, run_id, limits)
    except (OSError, ValueError) as error:
        raise ProcessStartError(f"The script could not be started: {_reason(error)}") from error


def _plain(command: Command, run_id: str, limits: ScriptLimits) -> subprocess.Popen[bytes]:
    # No preexec_fn and no user=: with either, Python forks instead of the much cheaper vfork.
    return subprocess.Popen(
        [*command.confinement.prefix, *limits.wrap(command.argv)],
        env={**command.env, RUN_MARK: run_id},
        cwd=command.cwd,
        umask=UMASK,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )


class _Sandboxed:
    """Bubblewrap's outer process."""

    def __init__(self, pid: int, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr

    def poll(self) -> int | None:
        """Reap it if it has ended."""
        with suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return os.waitstatus_to_exitcode(status) if pid else None
        return None


def _sandboxed(
    command: Command, sandbox: Sequence[str], run_id: str, limits: ScriptLimits
) -> tuple[Started, Report]:
    program, *options = sandbox
    environment = {**command.env, RUN_MARK: run_id}
    # Not in the command line, which others can read, nor in bubblewrap's own environment, which
    # the script can.
    for name, value in environment.items():
        options += ("--setenv", name, value)
    argv = [*command.confinement.prefix, program, "--args", str(_ARGUMENTS)]
    argv += ["--chdir", str(command.cwd), "--", SHELL, "-c", INIT, "sh", *limits.wrap(command.argv)]
    with ExitStack() as far, ExitStack() as near:
        out, far_out = _pipe(near, far)
        err, far_err = _pipe(near, far)
        report, far_report = _pipe(near, far)
        far_control, control = _pipe(far, near)
        nothing = _owned(os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), far)
        given = {
            0: nothing,
            1: nothing,
            _STANDARD: far_report,
            _OUT: far_out,
            _ERR: far_err,
            _CONTROL: far_control,
            _ARGUMENTS: _owned(_file_in_memory(options), far),
        }
        _keep_to_ourselves()
        pid = os.posix_spawn(
            argv[0],
            argv,
            {RUN_MARK: run_id},
            file_actions=[(os.POSIX_SPAWN_DUP2, ours, number) for number, ours in given.items()],
            setsid=True,
            setsigmask=(),
            setsigdef=_RESTORED,
        )
        near.pop_all()
    pipes = (os.fdopen(descriptor, "rb", buffering=0) for descriptor in (out, err))
    return _Sandboxed(pid, *pipes), Report(report, control)


def _keep_to_ourselves() -> None:
    """The sandbox inherits no other descriptor, even of a parent that left some open."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - called for each step
        with suppress(OSError):  # the one of the list itself
            if int(name) > _STANDARD and os.get_inheritable(int(name)):
                os.set_inheritable(int(name), False)


def _pipe(reading: ExitStack, writing: ExitStack) -> tuple[int, int]:
    read, write = os.pipe()
    return _owned(read, reading), _owned(write, writing)


def _owned(descriptor: int, owner: ExitStack) -> int:
    """The descriptor above those that a sandbox gets, so that none replaces another."""
    if descriptor < _ABOVE:
        low = descriptor
        descriptor = fcntl.fcntl(low, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
        os.close(low)
    owner.callback(os.close, descriptor)
    return descriptor


def _file_in_memory(options: Sequence[str]) -> int:
    content = memoryview(b"".join(os.fsencode(option) + b"\0" for option in options))
    if content.tobytes().count(b"\0") != len(options):
        raise ValueError("embedded null byte")
    descriptor = os.memfd_create("sandbox", os.MFD_CLOEXEC)
    while content:
        content = content[os.write(descriptor, content) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _reason(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)  # a NUL byte in a value
    if error.errno == errno.E2BIG:
        return "the inputs are too large (128 KiB for one, 2 MiB for all of them)"
    name = Path(os.fsdecode(error.filename)).name if error.filename else ""
    return f"{name}: {error.strerror}" if name else error.strerror or str(error)
