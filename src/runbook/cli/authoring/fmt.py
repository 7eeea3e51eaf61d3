"""`runbook fmt`: formats runbooks."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import IO_ERROR_CODE, ExampleCommand
from runbook.cli.completion import complete_files_and_refs
from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.escaping import escaped
from runbook.cli.terminal.messages import note, print_error, print_line

if TYPE_CHECKING:
    from runbook.cli.authoring.selection import Selected
    from runbook.library.formatting import Formatting

WOULD_CHANGE = 1


class Result(Enum):
    """The result for a file."""

    CHANGED = auto()
    SAME = auto()
    INVALID = auto()
    NOT_WRITTEN = auto()


_CODES = {Result.NOT_WRITTEN: IO_ERROR_CODE, Result.INVALID: exit_codes.INVALID}


@click.command(
    "fmt",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook fmt",
        "runbook fmt Deploy.md",
        "runbook fmt --check runbooks/",
        "runbook fmt --diff Deploy.md",
    ),
    short_help="Format runbooks.",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=complete_files_and_refs)
@click.option("--check", is_flag=True, help="Write nothing. Exit with 1 if anything would change.")
@click.option("--diff", is_flag=True, help="Write nothing. Print the changes as a diff.")
def fmt(paths: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format runbooks above the History heading.

    Normalizes blank lines, trailing spaces, line ends and section headings. Code blocks, lists,
    quotes, HTML and the history stay unchanged. PATH is a file or a folder, with all runbooks below
    it. Defaults to RUNBOOKS_DIR. The exit code is 65 if a runbook is invalid, and 74 if a file
    can't be written; these files are skipped.
    """
    from runbook.cli.authoring.selection import select_runbooks
    from runbook.library.formatting import format_file, plan_format
    from runbook.settings import process_environment

    selected = select_runbooks(paths, process_environment())
    writes = not (check or diff)
    treat = format_file if writes else plan_format
    tally = Counter(_treat(item, treat, diff=diff) for item in selected)
    did = "formatted" if writes else "would be formatted"
    skipped = tally[Result.INVALID] + tally[Result.NOT_WRITTEN]
    note(f"{tally[Result.CHANGED]} {did}, {tally[Result.SAME]} unchanged, {skipped} skipped")
    for result, code in _CODES.items():
        if tally[result]:
            return code
    return WOULD_CHANGE if check and tally[Result.CHANGED] else 0


def _treat(item: Selected, treat: Callable[[Path], Formatting], *, diff: bool) -> Result:
    """Format or check one file. Prints errors instead of raising them."""
    from runbook.errors import HistoryError
    from runbook.library.loading import is_documentation

    if is_documentation(item.file):
        return Result.SAME
    try:
        outcome = treat(item.file)
    except HistoryError as error:
        print_error(f"{item.shown}: {error.message}")
        return Result.NOT_WRITTEN
    if outcome.problem is not None:
        print_error(f"{item.shown}: {outcome.problem.message}", outcome.problem.hint)
        return Result.INVALID
    if not outcome.changed:
        return Result.SAME
    _show(item, outcome, diff=diff)
    return Result.CHANGED


def _show(item: Selected, outcome: Formatting, *, diff: bool) -> None:
    if not diff:
        print_line(escaped(item.shown))
        return
    for line in _diff_lines(item.shown, outcome):
        print_line(escaped(line))


def _diff_lines(name: str, outcome: Formatting) -> Iterator[str]:
    before, after = (_text_lines(data) for data in (outcome.before, outcome.after))
    return difflib.unified_diff(before, after, name, name, lineterm="")


def _text_lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").split("\n")
