"""Finds out whether bubblewrap works here, by starting it as for a script.

The answer is cached in a file, for commands that execute one run. Servers ask again at every start.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runbook.engine.isolation.sandbox import Sandbox
from runbook.engine.process.probe import ProbeError, try_command
from runbook.host.identity import boot_id
from runbook.quick_dataclass import dataclass

SECONDS = 10.0
OLD_PROGRAM = "Unknown option"
HINTS = (
    ("uid map", "allow it in an AppArmor profile for /usr/bin/bwrap"),
    ("namespace", "allow user namespaces for the engine"),
    ("proc", "containers need an unmasked /proc"),
)

_QUESTION = '[ "$$" = 1 ] && [ ! -w / ] && [ -w /tmp ]'
"""Whether the sandbox is one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`problem` is why it doesn't work; `nested` if it doesn't prevent user namespaces."""

    problem: str = ""
    nested: bool = False


def probe(sandbox: Sandbox, directory: Path, prefix: Sequence[str], *, as_root: bool) -> Answer:
    """`directory` stands for a run's; `prefix` is a command that becomes another one."""
    if not os.access(sandbox.program, os.X_OK):
        return Answer(f"{sandbox.program} is not installed; install bubblewrap")
    problem = _try(sandbox, directory, prefix)
    if OLD_PROGRAM not in problem:
        return Answer(problem)
    if as_root:
        return Answer("bubblewrap 0.8 or newer is needed if scripts run as root; set RUN_AS_USER")
    return Answer(_try(replace(sandbox, nested=True), directory, prefix), nested=True)


def _try(sandbox: Sandbox, directory: Path, prefix: Sequence[str]) -> str:
    """The problem; empty if there is none."""
    command = [*prefix, *sandbox.command(directory, directory), "--", "/bin/sh", "-c", _QUESTION]
    try:
        code, said = try_command(command, SECONDS)
    except ProbeError as error:
        return str(error)
    if code == 0:
        return ""
    reason = " ".join(said.split()) or f"it ended with {code}"
    advice = next((advice for word, advice in HINTS if word in reason), "")
    return f"{reason}; {advice}" if advice else reason


def cached(file: Path, key: str) -> Answer | None:
    """The answer that was stored for the same circumstances."""
    try:
        stored = json.loads(file.read_text())
        answer = Answer(str(stored["problem"]), bool(stored["nested"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return answer if stored.get("key") == key else None


def store(file: Path, key: str, answer: Answer) -> None:
    write_json(file, {"key": key, "problem": answer.problem, "nested": answer.nested})


def write_json(file: Path, content: Mapping[str, object]) -> None:
    """Replace a file, which is missing if that fails: nothing depends on it."""
    text = json.dumps(content)
    new = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
    with suppress(OSError):
        new.write_text(text)
        new.replace(file)


def circumstances(sandbox: Sandbox, prefix: Sequence[str]) -> str:
    """What the answer depends on, as far as it can be told."""
    try:
        status = os.stat(sandbox.program)  # noqa: PTH116 - called for each command
        program = f"{status.st_ino}-{status.st_mtime_ns}"
    except OSError:
        program = ""
    namespaces = os.stat("/proc/self/ns/user").st_ino  # noqa: PTH116 - as above
    return " ".join((boot_id(), program, str(namespaces), str(os.geteuid()), *prefix))
