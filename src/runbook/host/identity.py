"""Identifies processes, even after the system has reused their PIDs."""

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
    """The identity of this process, as stored in a worker's row."""
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
    """When the process started, in clock ticks since boot; None if it has ended."""
    entry = proctable.read_process(pid)
    return None if entry is None or entry.ended else entry.started
