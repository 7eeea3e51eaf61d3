"""The runbook engine: one Markdown file is manual, program, policy and record of an operation.

Scripts find here what they say to their run: `runbook.progress(40, "Cloning disk")`.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as type checkers know it; `typing` would be loaded at every start
if TYPE_CHECKING:
    from runbook.script.commands import (
        CalledRunbookError,
        NotInRunError,
        artifact,
        call,
        dry_run,
        env,
        mask,
        output,
        plan,
        progress,
        summary,
    )

__all__ = [
    "CalledRunbookError",
    "NotInRunError",
    "artifact",
    "call",
    "dry_run",
    "env",
    "mask",
    "output",
    "plan",
    "progress",
    "summary",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Loaded at their first use: the engine itself needs none of them."""
    if name in __all__:
        from runbook.script import commands as script

        return getattr(script, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
