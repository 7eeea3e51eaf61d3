"""What tells one process from another, also after its pid was given away again."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TypedDict


class ProcessIdentity(TypedDict):
    host: str
    boot_id: str
    pid: int
    process_start: int


def process_identity() -> ProcessIdentity:
    """This process, as a worker's row names it."""
    return {
        "host": socket.gethostname(),
        "boot_id": boot_id(),
        "pid": os.getpid(),
        "process_start": process_start(os.getpid()) or 0,
    }


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def process_start(pid: int) -> int | None:
    """When the process began, in clock ticks since boot (field 22 of /proc/PID/stat)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name stands in parentheses and may itself hold blanks and parentheses.
    return int(stat.rpartition(")")[2].split()[19])
