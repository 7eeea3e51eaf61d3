"""How a server isolates scripts."""

from __future__ import annotations

from enum import StrEnum

from runbook.core.document import Problem, warning
from runbook.quick_dataclass import dataclass

MEMORY, PIDS = "memory", "pids"
"""Controllers of the kernel's control groups."""


class Mode(StrEnum):
    """How scripts are isolated."""

    PROCESS = "process"
    """As processes of the engine's user, or of RUN_AS_USER."""
    BWRAP = "bwrap"
    """In sandboxes of bubblewrap."""


@dataclass(frozen=True, slots=True)
class Isolated:
    """How scripts are isolated. `reason` is why not in a sandbox, if one was wanted."""

    mode: Mode
    reason: str = ""
    user: str = ""
    """The user of scripts, if it isn't the engine's."""
    unlimited: str = ""
    """Why limits of whole runs don't apply, if some are set."""

    def notes(self) -> list[Problem]:
        """What an operator should know; none of it keeps runs from being executed."""
        found = []
        if self.reason:
            text = f"Scripts run without a sandbox: {self.reason}"
            found.append(warning("not_sandboxed", text, reason=self.reason))
        if self.unlimited:
            text = f"RUN_MAX_PROCESSES and RUN_MAX_MEMORY_BYTES don't apply: {self.unlimited}"
            found.append(warning("runs_not_limited", text, reason=self.unlimited))
        return found


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Limits of a whole run; None sets no limit."""

    processes: int | None = None
    memory_bytes: int | None = None

    @property
    def controllers(self) -> list[str]:
        given = {PIDS: self.processes, MEMORY: self.memory_bytes}
        return [name for name, limit in given.items() if limit is not None]
