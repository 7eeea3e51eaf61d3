"""Starts the engine process of a command and guards it.

That of `runbook execute` also parses the command line, so that this process needn't import Click.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from runbook.host import guard

PACKAGE = "runbook.cli.one_shot"
EXECUTION = f"{PACKAGE}.execution"
RERUN = f"{PACKAGE}.rerun"


def guard_engine(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one of the two modules in a process of its own. Returns its exit code."""
    command = [sys.executable, "-m", PACKAGE, module, *arguments]
    try:
        return guard.guard(command, environment)
    except OSError as error:
        return _reported(error)


def _reported(error: OSError) -> int:
    from runbook.cli.commands import exit_code_of

    def fail() -> None:
        raise error

    return exit_code_of(fail)
