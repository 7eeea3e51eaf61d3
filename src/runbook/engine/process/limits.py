"""Kernel limits of scripts that work without being root.

The ones that harm nobody are set once for the engine process and inherited. The optional ones
would bind the engine itself, so they are set by prlimit(1), which replaces itself by the script:
unlike a call made after the start, it leaves no moment in which the script runs without them.
"""

from __future__ import annotations

import resource
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

_PROGRAM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class ScriptLimits:
    """Limits of each process that a script starts; None is no limit of ours.

    `open_files` is the soft limit, which a script may raise. `processes` counts all processes
    and threads of the user, not only the script's, and does not bind root; `memory_bytes` is
    the address space of each process; `file_bytes` is the size of a file that it writes.
    """

    core: int = 0
    open_files: int = 1024
    processes: int | None = None
    memory_bytes: int | None = None
    file_bytes: int | None = None

    @property
    def optional(self) -> bool:
        return any(limit is not None for _, _, limit in self._options())

    def wrap(self, argv: Sequence[str]) -> list[str]:
        """The command under the optional limits. Raises FileNotFoundError without prlimit."""
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


def inherit_limits(limits: ScriptLimits) -> None:
    """Set, for this process and all that it starts, the limits that harm nobody.

    Never raises a hard limit and never fails for want of rights.
    """
    _set_soft(resource.RLIMIT_CORE, limits.core)
    _set_soft(resource.RLIMIT_NOFILE, limits.open_files)


def _set_soft(kind: int, limit: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (_allowed(kind, limit), hard))


def _allowed(kind: int, limit: int) -> int:
    """The limit, lowered to the hard one, above which only root may go."""
    _, hard = resource.getrlimit(kind)
    return limit if hard == resource.RLIM_INFINITY else min(limit, hard)
