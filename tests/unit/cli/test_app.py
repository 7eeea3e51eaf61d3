"""The command line as a whole: help, typos, start-up, reference."""

import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from runbook.cli import reference
from runbook.cli.app import cli
from runbook.cli.commands import ExampleCommand, Invocation, exit_code_of
from runbook.errors import (
    AccessDeniedError,
    ConfigurationError,
    InvalidRunbookError,
    NotFoundError,
    ServerUnavailableError,
    StoreBusyError,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "cli.md"
HEAVY = ("sqlalchemy", "flask", "pydantic", "httpx", "alembic", "jwt")


@pytest.fixture(autouse=True)
def no_processes(monkeypatch):
    def refuse(*_):
        raise AssertionError("nothing is to be started")

    monkeypatch.setattr("runbook.host.guard.guard", refuse)
    monkeypatch.setattr("runbook.host.guard.guard_program", refuse)
    monkeypatch.setattr("runbook.host.supervisor.serve", refuse)


def leaves(group=cli, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from leaves(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = list(leaves())


def run(*args, **options):
    return CliRunner().invoke(cli, args, **options)


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS]
)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_shows_its_examples_before_its_options(path, command, flag):
    result = run(*path, flag)
    assert result.exit_code == 0
    assert isinstance(command, ExampleCommand)
    assert command.examples
    for example in command.examples:
        assert f"$ {example}" in result.stdout
    assert result.stdout.index("Examples:") < result.stdout.index("Options:")


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[" ".join(path) for path, _ in COMMANDS]
)
def test_every_example_is_a_command_line_that_is_understood(path, command):
    for example in command.examples:
        name = f"runbook {' '.join(path)}"
        own = next(part for part in example.split("|") if name in part)
        words = own.partition(name)[2].partition(">")[0].rstrip(" )")
        # With the settings of all: a command keeps the help option of its first context.
        command.make_context(name, shlex.split(words), **cli.context_settings)


def test_help_of_a_group_keeps_the_lines_of_its_examples():
    shown = CliRunner().invoke(cli, ["db", "--help"]).stdout
    assert "\\b" not in shown
    assert "    $ runbook db purge --days 30\n" in shown


def test_help_lists_all_commands_with_a_line_each():
    lines = run("--help").stdout.splitlines()
    for name, command in cli.commands.items():
        assert any(line.split()[:1] == [name] and len(line.split()) > 2 for line in lines), name
        assert command.short_help


@pytest.mark.parametrize(
    ("typo", "meant"), [("exceute", "execute"), ("log", "logs"), ("verfy", "verify")]
)
def test_a_mistyped_command_is_suggested(typo, meant):
    result = run(typo)
    assert result.exit_code == 2
    assert result.stderr.startswith("runbook: error: ")
    assert meant in result.stderr


def test_a_mistyped_option_is_suggested():
    result = run("runs", "--limt", "3")
    assert result.exit_code == 2
    assert "--limit" in result.stderr
    assert "hint: see `runbook runs --help`" in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ("execute",),
        ("execute", "--runbook", "x.md", "--env", "novalue"),
        ("execute", "--runbook", "x.md", "--secret", "K=plain"),
        ("execute", "--runbook", "x.md", "--secret", "K=-", "--token-stdin"),
        ("execute", "--runbook", "x.md", "--timeout", "0"),
        ("execute", "--runbook", "x.md", "--timeout", "nan"),
        ("execute", "--runbook", "x.md", "--reason", "x" * 501),
        ("runs", "--status", "broken"),
        ("runs", "--limit", "0"),
        ("logs", "run", "--since", "yesterday"),
        ("token", "--ttl", "90s"),
        ("token", "--claim", "iss=me"),
        ("completion", "tcsh"),
    ],
    ids=" ".join,
)
def test_usage_errors_exit_with_2_and_one_clear_line(args):
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("runbook: error: ")
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRunbookError("x"), 65),
        (NotFoundError("x"), 66),
        (ServerUnavailableError("x"), 69),
        (StoreBusyError("x"), 75),
        (AccessDeniedError("x"), 77),
        (ConfigurationError("x"), 78),
        (click.UsageError("x"), 2),
        (PermissionError(13, "Permission denied", "x"), 74),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_error_has_its_exit_code(error, code, capsys):
    def command():
        raise error

    assert exit_code_of(command) == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("runbook: error: ")


def test_an_error_cannot_forge_lines_or_colours(capsys):
    def command():
        raise NotFoundError("no \x1b[31m\nrunbook: ok")

    exit_code_of(command)
    assert capsys.readouterr().err == "runbook: error: no \\x1b[31m\\nrunbook: ok\n"


def test_execute_guards_the_same_command_line(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "runbook.cli.guardian.guard_engine", lambda *given: calls.append(given) or 3
    )
    args = ("execute", "--runbook", "x.md", "--env", "A=1", "--quiet")
    result = run(*args, obj=Invocation(args, {"HOME": "/"}))
    assert result.exit_code == 3
    execution = "runbook.cli.one_shot.execution"
    assert calls == [(execution, args[1:], {"HOME": "/"})]


def test_serve_hands_its_options_on_as_settings(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "runbook.host.supervisor.serve", lambda env, over: calls.append((env, over)) or 0
    )
    args = ("serve", "--runbooks-dir", "/books", "--port", "9000", "--bind", "::1")
    assert run(*args, obj=Invocation(args, {"A": "1"})).exit_code == 0
    overrides = {"RUNBOOKS_DIR": "/books", "API_PORT": "9000", "BIND_HOST": "::1"}
    assert calls == [({"A": "1"}, overrides)]


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from runbook.cli.app import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_the_documentation_shows_every_command_as_it_is():
    text = DOCUMENT.read_text()
    assert reference.renewed(text) == text, "run python -m runbook.cli.reference docs/cli.md"


def test_a_document_without_marks_is_not_touched():
    with pytest.raises(ValueError, match="markers"):
        reference.renewed("# Command line\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_RUNBOOK_COMPLETE" in result.stdout
    assert "_runbook_completion" in result.stdout


def test_version_as_text_and_as_json():
    assert run("version").stdout.startswith("runbook ")
    assert run("version", "--json").stdout.startswith('{"version": ')
