#!/usr/bin/env python3
"""Take every registry's address out of Pipfile.lock; hashes and versions stay.

pip then asks the registry that it is configured for, and the hashes say whether what came
is what was locked.
"""

import json
import sys
from pathlib import Path


def strip(lock: dict[str, dict[str, dict[str, object]]]) -> None:
    """Empty the list of sources and forget which package came from which one."""
    lock["_meta"]["sources"] = []  # type: ignore[assignment]
    for name, section in lock.items():
        if name != "_meta":
            for package in section.values():
                package.pop("index", None)


def main() -> None:
    path = Path(sys.argv[1])
    lock = json.loads(path.read_text(encoding="utf-8"))
    strip(lock)
    path.write_text(json.dumps(lock, indent=4) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
