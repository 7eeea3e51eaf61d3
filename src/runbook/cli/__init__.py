"""The command line: `runbook COMMAND`.

Commands import what they need when they run, so that help and completion are quick.
"""

from __future__ import annotations

import sys

SEALED_COMMANDS = frozenset({"execute", "serve", "test"})
"""Commands whose process stands beside scripts: /proc must show none of its environment."""


def main() -> None:
    """The console script. Exits with the code that docs/cli.md explains."""
    environment = None
    if len(sys.argv) > 1 and sys.argv[1] in SEALED_COMMANDS:
        from runbook.host import guard  # before anything else: it starts the program again

        environment = guard.seal_environment()
    from runbook.cli.app import cli
    from runbook.cli.commands import Invocation

    cli.main(obj=Invocation(tuple(sys.argv[1:]), environment))
