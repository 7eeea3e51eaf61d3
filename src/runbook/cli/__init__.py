"""The command line: `runbook COMMAND`.

Commands import what they need when they run, so that help and completion are fast.
"""

from __future__ import annotations

import sys

from runbook.cli.process import leave, leave_after
from runbook.host import garbage

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing collections takes longer than all of this module
    from collections.abc import Sequence

SEALED_COMMANDS = frozenset({"execute", "serve", "test"})
"""Commands that start scripts: /proc must not show their environment."""


HERE = ("--help", "--url")
"""Options of `execute` that the first process acts on. It leaves all others to the engine."""


def main() -> None:
    """The console script. Exits with a code that docs/cli.md lists."""
    garbage.wait()
    _open_closed_streams()
    environment = None
    if len(sys.argv) > 1 and sys.argv[1] in SEALED_COMMANDS:
        from runbook.host import sealing  # before anything else: it restarts the program

        environment = sealing.seal_environment()
        if sys.argv[1] == "execute" and not _needs_parsing(sys.argv[2:]):
            from runbook.cli.guardian import EXECUTION, guard_engine

            leave(guard_engine(EXECUTION, sys.argv[2:], environment))
    from runbook.cli.app import cli
    from runbook.cli.commands import Invocation

    leave_after(lambda: cli.main(obj=Invocation(tuple(sys.argv[1:]), environment)))


def _needs_parsing(arguments: Sequence[str]) -> bool:
    return any(
        argument.partition("=")[0] in HERE
        or (argument[:1] == "-" != argument[1:2] and "h" in argument)
        for argument in arguments
    )


def _open_closed_streams() -> None:
    """Discard output to streams that were closed at the start, which Python calls None."""
    if sys.stdout is None or sys.stderr is None or sys.stdin is None:
        import os

        from runbook.host.lines import open_standard_streams

        open_standard_streams()
        sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
        sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
