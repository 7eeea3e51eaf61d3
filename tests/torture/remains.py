"""What a server leaves behind: processes, folders, histories that don't verify."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from patience import PATIENCE_S
from runbook.engine.process.family import RUN_MARK
from runbook.library.history import verify_file
from torture.checks import Finding
from torture.ground import Ground

LONGEST_S = 20 * PATIENCE_S


def eventually(find: Callable[[], list[str]]) -> tuple[str, ...]:
    """What is still found when nothing has changed for long: a slow machine takes its time."""
    began = changed = time.monotonic()
    found = find()
    while found and time.monotonic() < min(changed + 2 * PATIENCE_S, began + LONGEST_S):
        time.sleep(0.1)
        before, found = found, find()
        if found != before:
            changed = time.monotonic()
    return tuple(found)


def processes(folder: Path, *, marked: bool) -> Iterator[psutil.Process]:
    """Those that have to do with the folder; with `marked`, only those of runs."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment, command = process.environ(), process.cmdline()
            traces = [*environment.values(), *command, process.cwd()]
            is_of_run = RUN_MARK in environment or command[:1] == [f"{folder}/linger"]
            if marked and not is_of_run:
                continue
            if any(str(folder) in trace for trace in traces):
                yield process


def shown(found: Iterator[psutil.Process]) -> list[str]:
    lines = []
    for process in found:
        with suppress(psutil.Error):
            lines.append(f"{process.pid} {' '.join(process.cmdline())}"[:200])
    return lines


def end_processes(folder: Path) -> None:
    """Whatever is left after a storm that went wrong."""
    while left := list(processes(folder, marked=False)):
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, PATIENCE_S)


def run_folders(ground: Ground) -> list[str]:
    return [path.name for path in ground.execution.iterdir()]


def temporary_folders(ground: Ground) -> list[str]:
    return [path.name for path in ground.temporary.iterdir()]


def while_serving(ground: Ground) -> list[Finding]:
    """After the last run has ended: nothing of any run is left."""
    marked = eventually(lambda: shown(processes(ground.folder, marked=True)))
    return [
        Finding("no process of a run", 0, marked),
        Finding("no working directory", 0, eventually(lambda: run_folders(ground))),
    ]


def after_the_end(ground: Ground) -> list[Finding]:
    left = eventually(lambda: shown(processes(ground.folder, marked=False)))
    return [
        Finding("no process at all", 0, left),
        Finding("no temporary folder", 0, tuple(temporary_folders(ground))),
    ]


def verified(ground: Ground, environment: dict[str, str]) -> list[Finding]:
    """The command line for one runbook and the audit trail; the others without new processes."""
    commands = [_verify(environment, words) for words in (["Steps.md"], ["--audit"])]
    paths = sorted(ground.runbooks.glob("*.md"))
    broken = [f"{path.name}: {problem}" for path in paths for problem in verify_file(path).problems]
    return [
        Finding("runbook verify", len(commands), tuple(filter(None, commands))),
        Finding("histories verify", len(paths), tuple(broken)),
    ]


def _verify(environment: dict[str, str], words: list[str]) -> str:
    command = [sys.executable, "-m", "runbook", "verify", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"{' '.join(words)}: {done.stdout}{done.stderr}"
