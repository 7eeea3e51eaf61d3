"""`runbook test`: executes the test cases of runbooks. It only guards the process that does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from runbook.cli.commands import ExampleCommand, invocation
from runbook.cli.completion import complete_files_and_refs

Callback = TypeVar("Callback", bound=Callable[..., Any])

HELP = """Execute the test cases of runbooks, and compare how they end with what is expected.

The cases of Name.md stand in Name.test.yaml beside it: see RUNBOOK.md. PATH is either of the two,
or a folder. Each case is executed in earnest, as `runbook execute` does it, but with a database of
its own that is thrown away, and without a history entry. Inputs come from the case alone.

Exit codes: 0 all passed, 1 one failed, 65 a test file is not valid, 66 there are no cases, 130
interrupted.
"""


@dataclass(frozen=True, slots=True)
class TestOptions:
    """What `runbook test` was told."""

    __test__ = False  # no class of tests

    paths: tuple[str, ...]
    keyword: str | None = None
    as_json: bool = False


def test_options(callback: Callback) -> Callback:
    """The arguments of `test`; the guarded process reads the same command line again."""
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
    click.option("-k", "keyword", metavar="TEXT", help="Only cases whose name holds this text."),
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
    from runbook.host import guard
    from runbook.settings import process_environment

    called = invocation(context)
    command = [sys.executable, "-m", "runbook.cli.authoring.testing", *called.arguments[1:]]
    return guard.guard(command, called.environment or process_environment())


test.__test__ = False  # type: ignore[attr-defined]  # no test of ours
