"""`python -m runbook.cli.one_shot MODULE OPTIONS` is an engine process.

`MODULE` is one of this folder: `execution` or `rerun`.
"""

from __future__ import annotations

import importlib
import sys

from runbook.cli import process

if __name__ == "__main__":
    process.start()
    importlib.import_module(sys.argv.pop(1)).main()
