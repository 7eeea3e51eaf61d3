#!/usr/bin/env python3
"""Remove registry URLs from Pipfile.lock, but keep hashes and versions.

pip then uses its configured registry, and the hashes verify the packages.
"""

import json
import sys
from pathlib import Path


def strip(lock: dict[str, dict[str, dict[str, object]]]) -> None:
    """Remove the sources, and each package's reference to its source."""
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
