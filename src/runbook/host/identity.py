"""What tells one process from another, also after its pid was given away again."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TypedDict

from runbook.host import proctable


class ProcessIdentity(TypedDict):
    host: str
    boot_id: str
    pid: int
    process_start: int


def process_identity() -> ProcessIdentity:
    """This process, as a worker's row names it."""
    return {
        "host": host_name(),
        "boot_id": boot_id(),
        "pid": os.getpid(),
        "process_start": process_start(os.getpid()) or 0,
    }


def host_name() -> str:
    return socket.gethostname()


def boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def process_start(pid: int) -> int | None:
    """When the process began, in clock ticks since boot; None once it has ended."""
    entry = proctable.read_process(pid)
    return None if entry is None or entry.ended else entry.started
