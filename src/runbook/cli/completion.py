"""Shell completion of runbooks and runs, and `runbook completion`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from runbook.cli.commands import PROGRAM, ExampleCommand

if TYPE_CHECKING:
    from runbook.settings import Settings

Found = tuple[str, str]
MOST_RUNS = 50
SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_RUNBOOK_COMPLETE"


def complete_refs(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Local runbooks whose ref starts with `incomplete`. Never fails, so the prompt stays clean."""
    return [
        CompletionItem(ref, help=name)
        for ref, name in _quietly(_refs)
        if ref.startswith(incomplete)
    ]


def complete_runs(
    _context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Recent local runs whose ID starts with `incomplete`."""
    return [
        CompletionItem(run_id, help=text)
        for run_id, text in _quietly(_runs)
        if run_id.startswith(incomplete)
    ]


def complete_refs_and_runs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    refs = complete_refs(context, parameter, incomplete)
    return refs + complete_runs(context, parameter, incomplete)


def complete_files_and_refs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    refs = complete_refs(context, parameter, incomplete)
    return [*refs, CompletionItem(incomplete, type="file")]


def _quietly(find: Callable[[], Iterator[Found]]) -> list[Found]:
    """What `find` yields, or nothing if it fails."""
    with suppress(Exception), redirect_stderr(io.StringIO()):
        return list(find())
    return []


def _settings() -> Settings:
    from runbook.cli.source.opening import load_settings
    from runbook.settings import process_environment

    return load_settings(process_environment())


def _refs() -> Iterator[Found]:
    from runbook.cli.source.opening import local_catalog

    with local_catalog(_settings()) as catalog:
        for entry in catalog.list().entries:
            yield entry.ref, entry.document.name


def _runs() -> Iterator[Found]:
    from runbook.store.store import Store

    store = Store(_settings().database, read_only=True, patience_s=0.5)
    try:
        for run in store.runs.page(limit=MOST_RUNS).runs:
            yield run.id, f"{run.ref} {run.status}"
    finally:
        store.close()


@click.command(
    "completion",
    cls=ExampleCommand,
    permission=None,
    examples=(
        "runbook completion bash > ~/.local/share/bash-completion/completions/runbook",
        'runbook completion zsh > "${fpath[1]}/_runbook"',
        "runbook completion fish > ~/.config/fish/completions/runbook.fish",
    ),
    short_help="Print a shell completion script.",
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a script that completes commands, options, runbooks and runs in your shell."""
    kind = get_completion_class(shell)
    root = context.find_root().command
    if kind is not None:
        click.echo(kind(root, {}, PROGRAM, VARIABLE).source())
