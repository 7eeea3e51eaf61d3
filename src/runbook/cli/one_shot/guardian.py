"""Starts the engine process of `runbook execute` and guards it.

The engine process parses the command line, so this one imports neither Click nor an engine: it would
be a second interpreter that loads them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from runbook.host import guard

ENGINE = "runbook.cli.one_shot.execution"


def guard_execution(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Execute a runbook in a process of its own. Returns the exit code."""
    try:
        return guard.guard([sys.executable, "-m", ENGINE, *arguments], environment)
    except OSError as error:
        return _reported(error)


def _reported(error: OSError) -> int:
    from runbook.cli.commands import exit_code_of

    def fail() -> None:
        raise error

    return exit_code_of(fail)
