"""`runbook fmt`: one form for the text of runbooks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from runbook.cli import exit_codes
from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_files_and_refs
from runbook.cli.escaping import escaped
from runbook.cli.messages import note, print_error, print_line

if TYPE_CHECKING:
    from runbook.cli.selection import Selected
    from runbook.library.formatting import Formatting

WOULD_CHANGE = 1


@click.command(
    "fmt",
    cls=ExampleCommand,
    examples=(
        "runbook fmt",
        "runbook fmt Deploy.md",
        "runbook fmt --check runbooks/",
        "runbook fmt --diff Deploy.md",
    ),
    short_help="Format runbooks.",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=complete_files_and_refs)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit with 1 where anything would change."
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
def fmt(paths: tuple[str, ...], check: bool, diff: bool) -> int:
    """Format what stands above the History heading of runbooks.

    Blank lines, blanks at line ends, line ends and the headings of sections; nothing in a code
    block, a list, a quote or HTML is touched, and History stays byte for byte. Files, and all
    runbooks below folders; without any, those of RUNBOOKS_DIR. A runbook that is not valid is
    left alone; the exit code is 65 then.
    """
    from runbook.cli.selection import select_runbooks
    from runbook.library.formatting import format_file, plan_format
    from runbook.settings import process_environment

    selected = select_runbooks(paths, process_environment())
    writes = not (check or diff)
    changed = failed = 0
    for item in selected:
        outcome = format_file(item.file) if writes else plan_format(item.file)
        if outcome.problem is not None:
            print_error(f"{item.shown}: {outcome.problem.message}", outcome.problem.hint)
            failed += 1
        elif outcome.changed:
            changed += 1
            _show(item, outcome, diff=diff)
    did = "formatted" if writes else "would be formatted"
    note(f"{changed} {did}, {len(selected) - changed - failed} unchanged, {failed} left alone")
    if failed:
        return exit_codes.INVALID
    return WOULD_CHANGE if check and changed else 0


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
