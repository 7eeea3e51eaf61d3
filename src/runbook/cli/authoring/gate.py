"""Lints and tests a folder of runbooks before something is made of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.messages import note, print_warning, write_error

NO_CASES = 66


def examined(folder: Path, name: str, environment: Mapping[str, str]) -> int:
    """0 if the runbooks in the folder have no errors and pass their tests, else an exit code.

    What is wrong goes to standard error. `name` is shown.
    """
    if errors := _lint(folder, environment):
        note(f"error: the runbooks of {name} have errors ({errors})")
        return exit_codes.INVALID
    code = _test(folder, environment)
    if code == NO_CASES:
        print_warning(f"{name} has no test cases")
        return 0
    if code:
        note(f"error: a test of {name} failed")
    return code


def _lint(folder: Path, environment: Mapping[str, str]) -> int:
    """Print what is wrong on standard error. Returns the number of errors."""
    from runbook.bootstrap import input_limits, search_path
    from runbook.cli.authoring.lint import examine
    from runbook.cli.authoring.selection import select_runbooks
    from runbook.cli.source.opening import load_settings
    from runbook.cli.terminal.render import problem_line
    from runbook.host.shells import Shells
    from runbook.resources.problem import problem_json

    settings = load_settings(environment)
    shells, limits = Shells(search_path(settings)), input_limits(settings)
    errors = 0
    for item in select_runbooks([str(folder)], environment):
        for finding in examine(item, settings.script_env_pass, limits, shells):
            errors += finding.is_error
            line = problem_line(finding.file, problem_json(finding.problem))
            write_error(f"{line}\n")
    return errors


def _test(folder: Path, environment: Mapping[str, str]) -> int:
    """The exit code of `runbook test`, whose report goes to standard error."""
    from runbook.host.guard import guard_program

    command = [sys.executable, "-P", "-m", "runbook", "test", str(folder)]
    with _stdout_to_stderr():
        return guard_program(command, environment)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def write_whole(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_bytes(content)
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
