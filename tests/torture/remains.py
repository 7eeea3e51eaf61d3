"""What a server leaves behind: processes, folders, histories that don't verify."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from runbook.engine.process.run import RUN_MARK
from runbook.library.history import verify_file
from torture.checks import Finding
from torture.ground import Ground

PATIENCE_S = 20


def eventually(find: Callable[[], list[str]], patience_s: float = PATIENCE_S) -> tuple[str, ...]:
    """What is still found after a while; the engine may need some seconds to clean up."""
    deadline = time.monotonic() + patience_s
    while (found := find()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return tuple(found)


def processes(folder: Path, *, marked: bool) -> list[str]:
    """Those that have to do with the folder; with `marked`, only those of runs."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            environment, command = process.environ(), process.cmdline()
            traces = [*environment.values(), *command, process.cwd()]
            if marked and RUN_MARK not in environment and not command[0].endswith("linger"):
                continue
            if any(str(folder) in trace for trace in traces):
                found.append(f"{process.pid} {' '.join(command)}"[:200])
    return found


def run_folders(ground: Ground) -> list[str]:
    return [path.name for path in ground.execution.iterdir()]


def temporary_folders(ground: Ground) -> list[str]:
    return [path.name for path in ground.temporary.iterdir()]


def while_serving(ground: Ground) -> list[Finding]:
    """After the last run has ended: nothing of any run is left."""
    marked = eventually(lambda: processes(ground.folder, marked=True))
    return [
        Finding("no process of a run", 0, marked),
        Finding("no working directory", 0, eventually(lambda: run_folders(ground))),
    ]


def after_the_end(ground: Ground) -> list[Finding]:
    left = eventually(lambda: processes(ground.folder, marked=False))
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
