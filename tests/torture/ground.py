"""The folder of a storm: runbooks, data, logs, and what the faults need."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from torture.runbooks import texts

NEW_MOUNTS = 0x00020000
DATA_BYTES = 192 << 20
LOG_BYTES = 32 << 20
# Python runs it at each start, in every process whose PYTHONPATH names its folder.
CLOCK = """\
import mmap, os, struct, time
with open(os.path.join(os.path.dirname(__file__), "offset"), "rb") as file:
    offset = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
real = time.time_ns
time.time_ns = lambda: real() + struct.unpack_from("<q", offset)[0]
time.time = lambda: time.time_ns() / 1e9
"""


def can_mount() -> str:
    """Give this process mounts of its own. Returns why that is impossible, or nothing."""
    if os.geteuid() != 0:
        return "only root can mount a small disk"
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_MOUNTS) != 0:
        return f"no own mounts: {os.strerror(ctypes.get_errno())}"
    made = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, check=False)
    return made.stderr.decode().strip()


@dataclass
class Disk:
    """A folder with little space, if it could be mounted."""

    path: Path
    ballast: Path = field(init=False)

    def __post_init__(self) -> None:
        self.ballast = self.path / "ballast"

    def mount(self, size: int) -> None:
        options = f"size={size},mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", self.path], check=True)

    def unmount(self) -> None:
        if self.path.is_mount():
            subprocess.run(["umount", "--lazy", self.path], check=True)

    def fill(self) -> None:
        with self.ballast.open("wb", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while file.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        self.ballast.unlink(missing_ok=True)


class Ground:
    """All that a storm leaves is below `folder`; the ledger is on a disk that is never full."""

    def __init__(self, folder: Path, *, small_disks: bool) -> None:
        self.folder = folder
        self.runbooks = folder / "runbooks"
        self.execution = folder / "execution"
        self.ledger = folder / "ledger"
        self.twice = folder / "twice"
        self.log = folder / "log" / "server.log"
        self.temporary = folder / "tmp"
        self.data = Disk(folder / "data")
        self.logs = Disk(folder / "log")
        self._clock = folder / "clock"
        self._small_disks = small_disks

    def prepare(self) -> None:
        names = ("runbooks", "execution", "data", "log", "tmp", "held", "clock")
        for name in names:
            (self.folder / name).mkdir(parents=True)
        if self._small_disks:
            self.data.mount(DATA_BYTES)
            self.logs.mount(LOG_BYTES)
        shutil.copy("/bin/sleep", self.folder / "linger")
        self.ledger.touch()
        self.twice.touch()
        self.set_clock(0)
        (self._clock / "sitecustomize.py").write_text(CLOCK)
        for name, text in texts(self.folder).items():
            (self.runbooks / f"{name}.md").write_text(text)

    def set_clock(self, seconds: float) -> None:
        """In place, because all processes have it mapped."""
        path = self._clock / "offset"
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(struct.pack("<q", int(seconds * 1e9)))

    def settings(self) -> dict[str, str]:
        return {
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": str(self._clock),
            "DRAIN_SECONDS": "3",
            "MAX_PARALLEL_RUNS": "6",
            "MAX_QUEUED_RUNS": "40",
            "SCRIPT_TIMEOUT_SECONDS": "30",
        }

    def remove(self) -> None:
        self.data.unmount()
        self.logs.unmount()
        shutil.rmtree(self.folder)
