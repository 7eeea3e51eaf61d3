"""Prints the packages of Pipfile.lock as requirements with hashes, without the engine itself."""

import json
import sys
from pathlib import Path


def requirements(lock: dict) -> list[str]:
    return [
        " ".join([name + one["version"], *(f"--hash={text}" for text in one["hashes"])])
        + (f" ; {one['markers']}" if "markers" in one else "")
        for name, one in lock["default"].items()
        if "version" in one
    ]


if __name__ == "__main__":
    print("\n".join(requirements(json.loads(Path(sys.argv[1]).read_text()))))
