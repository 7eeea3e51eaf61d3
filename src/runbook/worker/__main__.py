"""`python -m runbook.worker` is the server's worker; see `local.py`."""

from __future__ import annotations

import sys

from runbook.host import garbage

if __name__ == "__main__":
    garbage.wait()
    from runbook.worker.local import main

    sys.exit(main())
