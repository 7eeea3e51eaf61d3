"""The engine process of `runbook test`: executes each case as `runbook execute` would.

It is a copy of the guardian (see `guardian.py`), with the same options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from runbook.cli.authoring.case_report import CaseReport, JsonReport, TextReport
from runbook.cli.authoring.case_run import CaseRunner, InterruptedCaseError
from runbook.cli.authoring.cases import TestOptions, test_options
from runbook.cli.authoring.selection import Selected, cases_path, select_cases, shown_path
from runbook.cli.commands import CANCELLED_CODE, Invocation
from runbook.cli.one_shot.guarded import obey_signals, run_guarded
from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.messages import print_line
from runbook.cli.terminal.render import problem_line
from runbook.core.authoring.cases import Case, CaseFile, read_cases
from runbook.core.document import Problem
from runbook.errors import NotFoundError
from runbook.resources.problem import problem_json

FAILED = 1


def run_cases(options: TestOptions, environment: Mapping[str, str]) -> int:
    """Execute the selected cases. Returns the exit code; raises RunbookError."""
    read = [(item, _read(item)) for item in select_cases(options.paths, environment)]
    if _print_problems(read):
        return exit_codes.INVALID
    chosen = [(item, case) for item, file in read for case in _matching(file, options.keyword)]
    if not chosen:
        raise NotFoundError(
            "No test cases found", hint="put the test cases of Name.md in Name.test.yaml"
        )
    runner = CaseRunner(environment)
    obey_signals(runner)
    report = JsonReport() if options.as_json else TextReport()
    return _execute(runner, chosen, report)


def _execute(
    runner: CaseRunner, chosen: Sequence[tuple[Selected, Case]], report: CaseReport
) -> int:
    interrupted = False
    for item, case in chosen:
        try:
            report.add(runner.execute(item, case))
        except InterruptedCaseError:
            interrupted = True
            break
    report.finish()
    if interrupted:
        return CANCELLED_CODE
    return FAILED if report.failed else 0


def _read(item: Selected) -> CaseFile:
    path = cases_path(item.file)
    if not path.is_file():
        return CaseFile()
    try:
        return read_cases(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        return CaseFile(problems=(Problem("not_utf8", "The file is not UTF-8"),))


def _print_problems(read: Sequence[tuple[Selected, CaseFile]]) -> bool:
    """Print the problems of the test files. Returns whether there are any."""
    for item, file in read:
        shown = shown_path(cases_path(item.file))
        for problem in file.problems:
            print_line(problem_line(shown, problem_json(problem)))
    return any(file.problems for _, file in read)


def _matching(file: CaseFile, keyword: str | None) -> list[Case]:
    return [case for case in file.cases if keyword is None or keyword in case.name]


@click.command("test")
@test_options
@click.pass_obj
def _command(called: Invocation, /, **given: Any) -> int:
    return run_cases(TestOptions(**given), called.environment or {})


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    return run_guarded(_command, "test", arguments, environment)
