"""Kernel limits for scripts, set without root.

Harmless limits are set once for the engine process and inherited. The optional ones
would limit the engine itself, so prlimit(1) sets them and then becomes the script:
the script never runs without them, not even for a moment.
"""

from __future__ import annotations

import resource
import shutil
from collections.abc import Sequence

from runbook.errors import ConfigurationError
from runbook.quick_dataclass import dataclass

OWN_FILES = 64
"""Open files of an engine process, besides those for its runs."""
FILES_PER_RUN = 16
"""Its pipes, directory, descriptors of the script's process, and a database connection."""
MOST_FILES = 65_536
"""As many open files as a process with many connections needs."""

_PROGRAM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class ScriptLimits:
    """Limits for each process that a script starts; None sets no limit.

    `open_files` is the soft limit, which a script may raise up to `most_files`. `processes` counts
    all processes and threads of the user, in a sandbox only the script's, and does not bind root;
    `memory_bytes` is the address space of each process; `file_bytes` is the size of a file that it
    writes.
    """

    core: int = 0
    open_files: int = 1024
    most_files: int = 16_384
    processes: int | None = None
    memory_bytes: int | None = None
    file_bytes: int | None = None

    @property
    def optional(self) -> bool:
        return any(limit is not None for _, _, limit in self._options())

    def wrap(self, argv: Sequence[str]) -> list[str]:
        """The command with the optional limits. Raises FileNotFoundError without prlimit."""
        if not self.optional:
            return list(argv)
        program = shutil.which("prlimit", path=_PROGRAM_PATH)
        if program is None:
            raise FileNotFoundError("prlimit is needed for SCRIPT_MAX_*: install util-linux")
        options = [
            f"--{name}={_allowed(kind, limit)}"
            for name, kind, limit in self._options()
            if limit is not None
        ]
        return [program, *options, "--", *argv]

    def _options(self) -> tuple[tuple[str, int, int | None], ...]:
        return (
            ("nproc", resource.RLIMIT_NPROC, self.processes),
            ("as", resource.RLIMIT_AS, self.memory_bytes),
            ("fsize", resource.RLIMIT_FSIZE, self.file_bytes),
        )


def runs_allowed(wanted: int) -> int:
    """How many runs at a time the limit of open files allows, up to `wanted`.

    Raises ConfigurationError if it doesn't allow one.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return wanted
    allowed = min(wanted, (hard - OWN_FILES) // FILES_PER_RUN)
    if allowed < 1:
        raise ConfigurationError(
            f"The limit of open files is {hard}, and at least {OWN_FILES + FILES_PER_RUN} are "
            "needed. Raise it with `ulimit -n`, or LimitNOFILE= in a systemd unit"
        )
    return allowed


def inherit_limits(limits: ScriptLimits, runs: int = 1) -> None:
    """Set the harmless limits for this process and its children.

    The limits of open files are higher only if this process needs that for as many `runs`. Never
    raises a hard limit, and never fails for lack of permission.
    """
    _set_soft(resource.RLIMIT_CORE, limits.core)
    needed = OWN_FILES + runs * FILES_PER_RUN
    soft = _allowed(resource.RLIMIT_NOFILE, max(min(limits.open_files, limits.most_files), needed))
    hard = _allowed(resource.RLIMIT_NOFILE, max(limits.most_files, needed))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def raise_open_files() -> None:
    """Allow this process, which starts no scripts, as many open files as possible."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        _set_soft(resource.RLIMIT_NOFILE, max(soft, MOST_FILES))


def _set_soft(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (_allowed(kind, limit), hard))


def _allowed(kind: int, limit: int) -> int:
    """The limit, at most the hard limit."""
    _, hard = resource.getrlimit(kind)
    return limit if hard == resource.RLIM_INFINITY else min(limit, hard)
