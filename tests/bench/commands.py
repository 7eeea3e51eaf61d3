"""The command line's part of `make bench`: how long short commands take, alternately with Python.

CPU time is that of all processes of a command, and says most on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench import RUNBOOK, Figure, table, write

PYTHON = "bare `python -c pass`"


@dataclass
class Times:
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    def add(self, command: list[str], environment: dict[str, str]) -> None:
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, env=environment, capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.wall_s.append(time.perf_counter() - begun)
        used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        self.cpu_s.append(used)

    @property
    def median_cpu_s(self) -> float:
        return statistics.median(self.cpu_s)

    @property
    def median_wall_s(self) -> float:
        return statistics.median(self.wall_s)

    def shown(self, bare: Times) -> str:
        cpu, wall = self.median_cpu_s, self.median_wall_s
        ratio = cpu / bare.median_cpu_s
        times = f"CPU {cpu * 1000:.0f} ms, elapsed {wall * 1000:.0f} ms"
        return times if self is bare else f"{times} = {ratio:.0f} x the CPU of bare Python"


def measure(python: str, folder: Path, count: int) -> list[Figure]:
    """The commands of the installation of this Python."""
    (folder / "runbooks").mkdir()
    book = folder / "runbooks" / "Trivial.md"
    book.write_text(
        RUNBOOK.format(name="Trivial", text="Text.", language="zsh", script="true"),
    )
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "DATA_DIR": str(folder / "data"),
        "RUNBOOKS_DIR": str(book.parent),
    }
    runbook = [python, "-m", "runbook"]
    commands = {
        PYTHON: [python, "-c", "pass"],
        "`runbook --help`": [*runbook, "--help"],
        "`runbook list`": [*runbook, "list"],
        "`runbook execute` of `true`": [*runbook, "execute", "--runbook", str(book)],
    }
    for command in commands.values():
        Times().add(command, environment)  # compiles modules, creates the database
    times = {name: Times() for name in commands}
    for _ in range(count):
        for name, command in commands.items():
            times[name].add(command, environment)
    aims = {"`runbook execute` of `true`": "400 ms"}
    bare = times[PYTHON]
    return [Figure(name, each.shown(bare), aims.get(name, "")) for name, each in times.items()]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="update docs/performance.md")
    arguments.add_argument("--python", default=sys.executable, help="of another installation")
    arguments.add_argument("--starts", type=int, default=20, help="samples per command")
    given, _others = arguments.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="runbook-bench-") as folder:
        text = table(measure(given.python, Path(folder), given.starts))
    print(text)
    if given.write:
        write("figures of commands", text)


if __name__ == "__main__":
    main()
