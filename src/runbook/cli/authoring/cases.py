"""`runbook test`: guards the process that executes the test cases of runbooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from runbook.cli.commands import ExampleCommand, invocation
from runbook.cli.completion import complete_files_and_refs
from runbook.quick_dataclass import dataclass

Callback = TypeVar("Callback", bound=Callable[..., Any])

HELP = """Execute the test cases of runbooks and compare the results with the expected ones.

The test cases of Name.md are in Name.test.yaml next to it: see RUNBOOK.md. PATH is either of these
files, or a folder. Each case really executes the runbook, as `runbook execute` would, but with a
temporary database and without a history entry. Inputs come only from the case.

Exit codes: 0 all passed, 1 a case failed, 65 a test file is invalid, 66 no test cases, 130
interrupted.
"""


@dataclass(frozen=True, slots=True)
class TestOptions:
    """The options of `runbook test`."""

    __test__ = False  # not a test class for pytest

    paths: tuple[str, ...]
    keyword: str | None = None
    as_json: bool = False


def test_options(callback: Callback) -> Callback:
    """Add the arguments of `test`. The guarded process parses the same command line."""
    for decorate in reversed(_OPTIONS):
        callback = decorate(callback)
    return callback


_OPTIONS = (
    click.argument(
        "paths",
        metavar="PATH...",
        nargs=-1,
        required=True,
        shell_complete=complete_files_and_refs,
    ),
    click.option(
        "-k", "keyword", metavar="TEXT", help="Execute only cases whose name contains this text."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)


@click.command(
    "test",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook test SimpleRunbook.md",
        "runbook test samples/runbooks",
        "runbook test Deploy.test.yaml -k refused",
        "runbook test runbooks --json | jq '.cases[] | select(.success | not)'",
    ),
    help=HELP,
    short_help="Execute the test cases of runbooks.",
)
@test_options
@click.pass_context
def test(context: click.Context, /, **given: Any) -> int:
    TestOptions(**given)
    from runbook.cli.guardian import CASES, guard_engine
    from runbook.settings import process_environment

    called = invocation(context)
    environment = called.environment or process_environment()
    return guard_engine(CASES, called.arguments[1:], environment)


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest
