"""What a process of the lab is given on standard input, and what it says once it is ready."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping


def given() -> dict[str, str]:
    """Its secrets: a command line could be read by everyone on the machine."""
    found: dict[str, str] = json.loads(sys.stdin.readline())
    return found


def announce(said: Mapping[str, object]) -> None:
    """Say that the process is ready. Nobody reads its output afterwards."""
    print(json.dumps(said), flush=True)  # noqa: T201 - the only line of its output
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
