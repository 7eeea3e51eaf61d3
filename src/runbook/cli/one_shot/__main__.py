"""`python -m runbook.cli.one_shot ACTION OPTIONS` is the engine process of a rerun."""

from __future__ import annotations

import sys

from runbook.cli import process
from runbook.host import guard

if __name__ == "__main__":
    environment = guard.seal_environment()
    process.start()
    from runbook.cli.one_shot.rerun import main

    process.leave(main(sys.argv[1:], environment))
