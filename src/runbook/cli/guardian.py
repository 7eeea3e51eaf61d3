"""Starts the engine process of a command and guards it.

That of `runbook execute` also parses the command line, so that this process needn't import Click.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence

from runbook.host import guard

EXECUTION = "runbook.cli.one_shot.execution"
CASES = "runbook.cli.authoring.testing"


def guard_engine(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Call `main` of one of these modules in a separate process.

    Returns its exit code, in both processes. The environment of this one must be sealed.
    """
    try:
        code = guard.guard()
    except OSError as error:
        return _reported(error)
    if code is None:  # this is the engine process
        code = int(importlib.import_module(module).main(arguments, environment))
    return code


def guard_rerun(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Start the engine process of a rerun. Returns its exit code.

    It's a new process with a sealed environment, because the environment of this one is not sealed.
    """
    command = [sys.executable, "-P", "-m", "runbook.cli.one_shot", *arguments]
    try:
        return guard.guard_program(command, environment)
    except OSError as error:
        return _reported(error)


def _reported(error: OSError) -> int:
    from runbook.cli.commands import exit_code_of

    def fail() -> None:
        raise error

    return exit_code_of(fail)
