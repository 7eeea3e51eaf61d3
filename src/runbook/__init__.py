"""The runbook engine, and the functions that scripts call: `runbook.progress(40, "Cloning")`."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know this name; importing `typing` would slow every start
if TYPE_CHECKING:
    from runbook.script.commands import (
        CalledRunbookError,
        FanoutFailedError,
        NotInRunError,
        artifact,
        call,
        device,
        dry_run,
        env,
        fanout,
        mask,
        output,
        plan,
        progress,
        summary,
    )

__all__ = [
    "CalledRunbookError",
    "FanoutFailedError",
    "NotInRunError",
    "artifact",
    "call",
    "device",
    "dry_run",
    "env",
    "fanout",
    "mask",
    "output",
    "plan",
    "progress",
    "summary",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load the script functions on first use: the engine itself needs none of them."""
    if name in __all__:
        from runbook.script import commands as script

        return getattr(script, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
