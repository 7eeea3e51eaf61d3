"""`runbook lint`: reports errors and likely mistakes in runbooks."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_files_and_refs
from runbook.cli.terminal import exit_codes
from runbook.cli.terminal.messages import note, print_line
from runbook.cli.terminal.render import counted, problem_line
from runbook.core.document import Problem, Severity
from runbook.quick_dataclass import dataclass

if TYPE_CHECKING:
    from runbook.cli.authoring.selection import Selected
    from runbook.core.authoring.lint import CalledRef
    from runbook.core.authoring.script_syntax import ShellCheck
    from runbook.core.document import Document
    from runbook.core.run_files import InputLimits
    from runbook.library.catalog import Catalog


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A problem in a file. `file` is the path to show."""

    file: str
    problem: Problem

    @property
    def is_error(self) -> bool:
        return self.problem.severity is Severity.ERROR

    def as_json(self) -> dict[str, object]:
        problem = self.problem
        return {
            "file": self.file,
            "line": problem.line,
            "code": problem.code,
            "severity": problem.severity.value,
            "message": problem.message,
            "hint": problem.hint,
        }


@click.command(
    "lint",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook lint",
        "runbook lint Deploy.md network/",
        "runbook lint --strict --format github runbooks/",
        "runbook lint --format json | jq -r '.[].code'",
    ),
    short_help="Report errors and likely mistakes in runbooks.",
)
@click.argument("paths", metavar="[PATH]...", nargs=-1, shell_complete=complete_files_and_refs)
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "github")),
    default="text",
    show_default=True,
    help="Output format: text lines, a JSON list, or GitHub Actions annotations.",
)
def lint(paths: tuple[str, ...], strict: bool, form: str) -> int:
    """Report errors and likely mistakes in runbooks.

    PATH is a file or a folder, with all runbooks below it. Defaults to RUNBOOKS_DIR. To turn off a
    check in a runbook, add the comment `<!-- runbook-lint: disable=CODE -->`. The exit code is 65
    if there are errors or, with --strict, warnings.
    """
    from runbook.bootstrap import input_limits, search_path
    from runbook.cli.authoring.selection import select_runbooks
    from runbook.cli.source.opening import load_settings
    from runbook.host.shells import Shells
    from runbook.settings import process_environment

    environment = process_environment()
    selected = select_runbooks(paths, environment)
    settings = load_settings(environment)
    passed, limits = settings.script_env_pass, input_limits(settings)
    shells = Shells(search_path(settings))
    findings = [finding for item in selected for finding in examine(item, passed, limits, shells)]
    _PRINTERS[form](findings)
    errors = sum(finding.is_error for finding in findings)
    note(_summary(len(selected), errors, len(findings) - errors))
    return exit_codes.INVALID if errors or (strict and findings) else 0


def examine(
    item: Selected,
    passed: Sequence[str],
    limits: InputLimits | None = None,
    shells: ShellCheck | None = None,
) -> list[FileProblem]:
    """All findings in a file. `passed` has the variables that every script gets."""
    from runbook.connectors.kinds import KINDS
    from runbook.core.authoring.lint import Surroundings, called_refs, choices_sources
    from runbook.core.authoring.lint import lint as find_problems
    from runbook.core.language.parse import unreadable
    from runbook.library.catalog import Catalog, Source
    from runbook.library.loading import load_file

    try:
        entry = load_file(item.file)
    except OSError as error:
        document = unreadable(item.file.stem, error.strerror or "unknown reason")
        return [FileProblem(item.shown, problem) for problem in document.problems]
    document = entry.document
    if document.is_documentation:
        note(document.problems[0].message)
        return []
    catalog = Catalog((Source(item.root),), input_limits=limits)
    existing = {
        call.ref for call in called_refs(document) if _found(catalog, item.ref, call) is not None
    }
    sources = {call.ref: _source(catalog, item.ref, call) for call in choices_sources(document)}
    known = {ref: found for ref, found in sources.items() if found is not None}
    around = Surroundings(existing, passed, shells, known, KINDS)
    problems = find_problems(document, entry.head, around)
    if document.runbook is not None:
        problems += catalog.check_inputs(item.ref, document.runbook)
    ordered = sorted(problems, key=lambda problem: problem.line or 0)
    return [FileProblem(item.shown, problem) for problem in ordered]


def _found(catalog: Catalog, ref: str, call: CalledRef) -> str | None:
    """The ref of the runbook that a runbook refers to."""
    candidates = (call.ref, _beside(ref, call)) if call.beside else (call.ref,)
    return next((known for known in candidates if _is_runbook(catalog, known)), None)


def _beside(ref: str, call: CalledRef) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(ref), call.ref))


def _source(catalog: Catalog, ref: str, call: CalledRef) -> Document | None:
    """The runbook that provides choices: one in the same folder comes first."""
    candidates = (_beside(ref, call), call.ref)
    found = next((known for known in candidates if _is_runbook(catalog, known)), None)
    return None if found is None else catalog.get(found).document


def _is_runbook(catalog: Catalog, ref: str) -> bool:
    from runbook.errors import NotFoundError

    try:
        return catalog.path(ref).is_file()
    except NotFoundError:
        return False


def _summary(files: int, errors: int, warnings: int) -> str:
    return (
        f"{counted(files, 'runbook')}: {counted(errors, 'error')}, {counted(warnings, 'warning')}"
    )


# -- formats -------------------------------------------------------------------------------------


def _print_text(findings: Iterable[FileProblem]) -> None:
    for finding in findings:
        print_line(problem_line(finding.file, finding.as_json()))


def _print_json(findings: Iterable[FileProblem]) -> None:
    print_line(json.dumps([finding.as_json() for finding in findings]))


def _print_github(findings: Iterable[FileProblem]) -> None:
    for finding in findings:
        print_line(annotation(finding))


def annotation(finding: FileProblem) -> str:
    """A GitHub Actions workflow command that annotates the finding's line."""
    problem = finding.problem
    properties = {"file": finding.file, "line": str(problem.line or 1), "title": problem.code}
    shown = ",".join(f"{name}={_escaped_property(text)}" for name, text in properties.items())
    message = f"{problem.message} ({problem.hint})" if problem.hint else problem.message
    return f"::{problem.severity.value} {shown}::{_escaped_data(message)}"


def _escaped_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_property(text: str) -> str:
    return _escaped_data(text).replace(":", "%3A").replace(",", "%2C")


_PRINTERS: Mapping[str, Callable[[Iterable[FileProblem]], None]] = {
    "text": _print_text,
    "json": _print_json,
    "github": _print_github,
}
