"""`python -m runbook.cli.one_shot ACTION OPTIONS` is the engine process of a rerun."""

from __future__ import annotations

import sys

from runbook.cli.process import leave
from runbook.host import garbage, sealing

if __name__ == "__main__":
    environment = sealing.seal_environment()
    garbage.wait()
    from runbook.cli.one_shot.rerun import main

    leave(main(sys.argv[1:], environment))
