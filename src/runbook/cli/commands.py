"""Base classes of commands: help with examples, and errors as one line and an exit code."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from runbook.cli.terminal.messages import print_error, print_lines, settle_streams, silence
from runbook.core.document import Problem
from runbook.core.permissions import Permission
from runbook.errors import (
    InvalidConnectionError,
    InvalidDeviceError,
    RunbookError,
    ToolkitRefusedError,
)
from runbook.quick_dataclass import dataclass

IO_ERROR_CODE = 74
CANCELLED_CODE = 130
BROKEN_PIPE_CODE = 141
PROGRAM = "runbook"


@dataclass(frozen=True, slots=True)
class Invocation:
    """The program's arguments, and its environment if that was sealed."""

    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None


def invocation(context: click.Context) -> Invocation:
    found = context.find_object(Invocation)
    return found or Invocation()


class ReaderLeftError(Exception):
    """The reader of our output has closed it. Click would exit with 1 for a broken pipe."""


class ExampleCommand(click.Command):
    """A command whose help shows examples directly below its summary.

    `permission` is the permission that the command needs, or None if it doesn't use an engine.
    Commands that read local files need only access to those files.
    """

    def __init__(
        self,
        *args: Any,
        permission: Permission | None,
        examples: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.permission = permission
        self.examples = tuple(examples)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the base class's signature
        summary, _, rest = inspect.cleandoc(self.help or "").partition("\n\n")
        _write_paragraphs(formatter, summary)
        if self.examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  $ {example}\n" for example in self.examples))
        _write_paragraphs(formatter, rest)


def _write_paragraphs(formatter: click.HelpFormatter, text: str) -> None:
    if text:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(text)


class RunbookGroup(click.Group):
    """The root command: turns every error into one line and an exit code."""

    command_class = ExampleCommand

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise ReaderLeftError from None

    def main(self, *args: Any, **extra: Any) -> Any:
        extra |= {"standalone_mode": False, "prog_name": PROGRAM}
        sys.exit(exit_code_of(lambda: super(RunbookGroup, self).main(*args, **extra)))


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command. Returns its exit code, or prints its error and returns that exit code."""
    code = _exit_code_of(command)
    settle_streams()
    return code


def _exit_code_of(command: Callable[[], object]) -> int:
    try:
        answer = command()
        sys.stdout.flush()
    except RunbookError as error:
        print_error(error.message, hint_for(error))
        if lines := _lines_below(error):
            print_lines(lines)
        return error.exit_code
    except click.ClickException as error:
        print_error(error.format_message(), _usage_hint(error))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        print_error("interrupted")
        return CANCELLED_CODE
    except (ReaderLeftError, BrokenPipeError):
        silence(sys.stdout)
        return BROKEN_PIPE_CODE
    except OSError as error:
        print_error(str(error))
        return IO_ERROR_CODE
    return answer if isinstance(answer, int) else 0


def _lines_below(error: RunbookError) -> str:
    """What doesn't fit into one line: how documents differ, or mistakes in a file."""
    problems, diff = error.details.get("problems"), error.details.get("diff")
    if isinstance(error, ToolkitRefusedError | InvalidDeviceError) and isinstance(problems, tuple):
        return "\n".join(_problem_shown(it) for it in problems if it.line is not None)
    return diff if isinstance(diff, str) else ""


def _problem_shown(problem: Problem) -> str:
    hint = f". {problem.hint}" if problem.hint else ""
    column = problem.params.get("column")
    place = f"{problem.line}, column {column}" if column else problem.line
    return f"  line {place}: {problem.message}{hint}"


def hint_for(error: RunbookError) -> str | None:
    """What to do next: the error's own hint, or the one for its code."""
    given = error.details.get("hint")
    if isinstance(given, str):
        return given
    problems = error.details.get("problems")
    is_invalid = isinstance(error, InvalidConnectionError | InvalidDeviceError)
    if is_invalid and isinstance(problems, tuple) and (hints := _hints_of(problems)):
        return hints
    match problems:
        case (Problem(code=code), *_) if code in _HINTS:
            return _HINTS[code]
    match error.details.get("missing"):
        case [{"code": "permission"}, *_]:
            return _HINTS["permission"]
    return _HINTS.get(error.code)


def _hints_of(problems: tuple[Problem, ...]) -> str:
    """Of those that aren't shown with their line."""
    hints = (it.hint for it in problems if it.hint and it.line is None)
    return ". ".join(dict.fromkeys(hints))


_HINTS = {
    "invalid_token": "set RUNBOOK_TOKEN, or use --token-stdin",
    "access_denied": "`runbook who-can` shows which claims a runbook requires",
    "permission": "ROLE_PERMISSIONS says which roles have it; `runbook config` shows it",
    "other_source": "set RUNBOOKS_DIR to the run's folder, specify its file with --runbook, or let "
    "its server do it with --url",
    "server_unavailable": "start the server with `runbook serve`, or check --url",
    "store_busy": "try again in a moment",
    "bad_configuration": "`runbook config` shows the settings, `runbook doctor` checks them",
}


def _usage_hint(error: click.ClickException) -> str | None:
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return None
    return f"see `{error.ctx.command_path} --help`"
