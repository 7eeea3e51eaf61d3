"""What a sandbox costs: one step of `true` in each mode, alternately, and a bare spawn of zsh.

CPU time is that of all processes of a step, and says most on a busy machine.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from commands import Times

from bench import Figure, table, write
from runbook.engine.isolation.isolation import Isolation, Plan, Wanted
from runbook.engine.isolation.sandbox import View
from runbook.engine.process.family import Families
from runbook.engine.process.run import Stop, run_process
from runbook.engine.process.start import Command
from runbook.host.proctable import become_subreaper

SCRIPT = ["/usr/bin/zsh", "-f", "-c", "true"]
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


class Nowhere:
    """A sink for the output of scripts that have none."""

    def prepare(self) -> None: ...

    def write(self, _stream: object, _data: bytes) -> None: ...

    def due_at(self) -> None: ...

    def flush(self) -> None: ...


def step(isolation: Isolation, directory: Path) -> None:
    stop = Stop()
    hidden = directory / ".runbook"
    with isolation.confine("bench", directory, hidden, socket="", backups=False) as confinement:
        ended = run_process(
            Command(SCRIPT, ENVIRONMENT, directory, (), confinement),
            sink=Nowhere(),
            stop=stop,
            timeout_s=60,
            run_id="bench",
            families=Families(),
        )
    stop.close()
    assert ended.return_code == 0


def time_of(work: Callable[[], object], times: Times) -> None:
    before, begun = _cpu(), time.perf_counter()
    work()
    times.wall_s.append(time.perf_counter() - begun)
    times.cpu_s.append(_cpu() - before)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measure(folder: Path, count: int) -> list[Figure]:
    directory, data = folder / "run", folder / "data"
    for name in (".runbook", ".runbook-artifacts"):
        (directory / name).mkdir(parents=True)
    data.mkdir()
    become_subreaper()
    view = View(hidden=(data, folder / "secrets"))
    steps = {
        name: Isolation(Plan(wanted, view, data, folder / "execution"))
        for name, wanted in (("process", Wanted.PROCESS), ("bwrap", Wanted.BWRAP))
    }
    works: dict[str, Callable[[], object]] = {
        "bare `zsh -f -c true`": lambda: subprocess.run(SCRIPT, env=ENVIRONMENT, check=True),
        "step with `ISOLATION=process`": lambda: step(steps["process"], directory),
        "step with `ISOLATION=bwrap`": lambda: step(steps["bwrap"], directory),
    }
    for work in works.values():
        work()
    times = {name: Times() for name in works}
    for _ in range(count):
        for name, work in works.items():
            time_of(work, times[name])
    bare, *_ = times.values()
    return [Figure(name, _shown(each, bare), "") for name, each in times.items()]


def _shown(times: Times, bare: Times) -> str:
    cpu, wall = times.median_cpu_s, times.median_wall_s
    text = f"CPU {cpu * 1000:.1f} ms, elapsed {wall * 1000:.1f} ms"
    if times is bare:
        return text
    return f"{text} = {cpu / bare.median_cpu_s:.1f} x and {wall / bare.median_wall_s:.1f} x bare"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help="update docs/performance.md")
    arguments.add_argument("--steps", type=int, default=200, help="samples")
    given, _others = arguments.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="runbook-bench-") as folder:
        text = table(measure(Path(folder), given.steps))
    print(text)
    if given.write:
        write("figures of isolation", text)


if __name__ == "__main__":
    main()
