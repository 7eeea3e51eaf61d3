"""`runbook list`, `show` and `validate`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from runbook.cli.commands import ExampleCommand
from runbook.cli.completion import complete_refs_and_runs
from runbook.cli.options.inputs import (
    Assignment,
    GivenInputs,
    check_stdin_once,
    gather,
    with_files,
)
from runbook.cli.options.run_options import env_file_option, env_option, secret_option
from runbook.cli.runbook_choice import runbook_choice
from runbook.cli.source.choose import SourceOptions, json_option, source_options
from runbook.cli.source.protocol import RunSource
from runbook.cli.terminal import color, exit_codes
from runbook.cli.terminal.messages import note, print_json, print_line
from runbook.cli.terminal.render import Json, duration, fields, moment, problem_line, table, text_of
from runbook.core.permissions import Permission
from runbook.core.runbook_filter import RunbookFilter
from runbook.script.narration import status_shown

RUN_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
RECENT_RUNS = 5
SHOWN_DEVICES = 50
DEVICE_LOCK = "device:"


def _colour() -> bool:
    from runbook.settings import process_environment

    return color.wanted(sys.stdout, process_environment())


@click.command(
    "list",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_LIST,
    examples=(
        "runbook list",
        "runbook list --url http://localhost:8083",
        "runbook list --tag network --owner sre",
        "runbook list --json | jq -r '.runbooks[].path'",
    ),
    short_help="List runbooks with last-run status.",
)
@click.option("--tag", "tags", multiple=True, help="Only runbooks with this tag. Repeatable.")
@click.option("--owner", default="", help="Only runbooks with this owner.")
@json_option
@source_options
def list_runbooks(tags: tuple[str, ...], owner: str, as_json: bool, **given: Any) -> None:
    """List runbooks with last-run status.

    Runbooks that are invalid or that you may not execute are marked. The syntax of scripts is not
    checked, since each script needs a shell for that: `runbook show` and `lint` check it. Tags and
    owners are those in the front matter.
    """
    wanted = RunbookFilter(tags=tags, owner=owner)
    with SourceOptions(**given).open() as source:
        found = source.runbooks(wanted)
    if as_json:
        print_json({"runbooks": found})
        return
    if not found and wanted:
        note("no such runbooks")
        return
    if not found:
        note("no runbooks; set RUNBOOKS_DIR to their folder (see `runbook config`)")
        return
    colour = _colour()
    rows = (_listed_row(item, colour=colour) for item in found)
    for line in table(("RUNBOOK", "NAME", "LAST RUN", "AT", "BY", ""), rows):
        print_line(line)


def _listed_row(item: Mapping[str, Any], *, colour: bool) -> list[str]:
    last = item.get("last_run") or {}
    return [
        text_of(item["path"]),
        text_of(item["name"]),
        color.paint(text_of(last.get("status")), colour=colour),
        moment(last.get("finished_at")),
        text_of(last.get("by")),
        _mark(item, colour=colour),
    ]


def _mark(item: Mapping[str, Any], *, colour: bool) -> str:
    if item.get("valid") is False:
        return color.paint("invalid", colour=colour)
    if item.get("executable") is False:
        return f"needs {text_of(item.get('missing_claims'))}"
    return ""


@click.command(
    "show",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_READ,
    examples=(
        "runbook show proxmox/CreateVm.md",
        "runbook show 0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11",
        "runbook show Deploy.md --json | jq '.inputs'",
    ),
    short_help="Show a runbook or a run.",
)
@click.argument("what", metavar="REF|RUN", shell_complete=complete_refs_and_runs)
@json_option
@source_options
def show(what: str, as_json: bool, **given: Any) -> None:
    """Show a runbook's declarations and recent runs, or a run's inputs, steps and result."""
    is_run = RUN_ID.fullmatch(what) is not None
    with SourceOptions(**given).open() as source:
        found = source.run(what) if is_run else source.runbook(what)
        recent = [] if is_run or as_json else _recent(source, what)
        fleet = [] if as_json or not found.get("fanouts") else _fleet(source, what)
    if as_json:
        print_json(found)
        return
    for line in run_lines(found, colour=_colour()) if is_run else _runbook_lines(found, recent):
        print_line(line)
    for line in fleet:
        print_line(line)


def _fleet(source: RunSource, run_id: str) -> list[str]:
    """The first devices that the run works on."""
    from runbook.cli.fanout.devices import device_lines

    page = source.devices(run_id, None, SHOWN_DEVICES)
    more = f"... `runbook devices {text_of(run_id)}` lists all of them"
    lines = device_lines(page["fanouts"], page["devices"])
    return ["", *lines, *([more] if page["next_cursor"] else [])]


def _recent(source: RunSource, ref: str) -> list[Json]:
    from runbook.cli.source.protocol import RunQuery

    recent: list[Json] = source.runs(RunQuery(runbook=ref), None, RECENT_RUNS)["runs"]
    return recent


def _runbook_lines(item: Mapping[str, Any], recent: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield from fields(
        [
            ("runbook", text_of(item["filename"])),
            ("name", text_of(item["name"])),
            ("description", text_of(" ".join(str(item.get("description", "")).split()))),
            ("tags", text_of(item.get("tags"))),
            ("owner", text_of(item.get("owner"))),
            ("valid", "yes" if item.get("valid", True) else "no"),
            ("executable", "yes" if item.get("executable", True) else "no"),
            ("missing claims", text_of(item.get("missing_claims"))),
            ("digest", text_of(item.get("digest"))),
        ]
    )
    yield from _block("inputs", _input_rows(item.get("inputs", [])))
    claims = item.get("claims") or {}
    yield from _block("claims", ([text_of(name), text_of(value)] for name, value in claims.items()))
    yield from _block("steps", (_step_row(step) for step in item.get("steps", [])))
    ref = str(item["filename"])
    problems = [problem_line(ref, problem) for problem in item.get("problems", [])]
    yield from _block("problems", ([line] for line in problems))
    yield from _block("recent runs", (_run_row(run) for run in recent))


def _block(title: str, rows: Iterable[list[str]]) -> Iterator[str]:
    """Indented lines below a title, or nothing if there are no rows."""
    found = list(rows)
    if found:
        yield ""
        yield f"{title}:"
        head, *rest = found
        yield from (f"  {line}" for line in table(head, rest))


def _input_rows(inputs: Iterable[Mapping[str, Any]]) -> Iterator[list[str]]:
    for item in inputs:
        yield _input_row(item)
        for declared in item.get("items", []):
            yield _input_row({**declared, "name": f"{item['name']}.{declared['name']}"})


def _input_row(item: Mapping[str, Any]) -> list[str]:
    default = item.get("default")
    notes = ["optional"] if item.get("optional") else []
    notes = notes if default is None else [f"default {text_of(default)}"]
    notes += [_condition(shown) for shown in item.get("show_if", [])]
    kind = text_of(item["type"])
    return [text_of(item["name"]), kind, ", ".join(notes), text_of(item.get("description"), "")]


def _condition(shown: Mapping[str, Any]) -> str:
    value = text_of(shown["value"], '""')
    return f"if {text_of(shown['input'])} {shown['operator']} {value}"


def _step_row(item: Mapping[str, Any]) -> list[str]:
    return [text_of(item["name"]), text_of(item["language"]), f"line {text_of(item['line'])}"]


def _step_result_row(step: Mapping[str, Any]) -> list[str]:
    code = step.get("return_code")
    told = text_of(step["status"]) + (f", return code {text_of(code)}" if code else "")
    return [text_of(step["n"]), text_of(step["name"]), told]


def _effect_row(effect: Mapping[str, Any]) -> list[str]:
    return [text_of(effect["state"]), text_of(effect["what"])]


def _run_row(run: Mapping[str, Any]) -> list[str]:
    by = f"by {text_of(run['by'])}"
    return [text_of(run["id"]), text_of(_status(run)), moment(run["created_at"]), by]


def _status(run: Mapping[str, Any]) -> str:
    """`succeeded`, `dry run completed`, `succeeded (undo)`."""
    relation = f" ({run['relation']})" if run.get("relation") else ""
    return f"{status_shown(run)}{relation}"


def run_lines(run: Mapping[str, Any], *, colour: bool) -> Iterator[str]:
    """A run as text, the most important facts first."""
    address = f" from {text_of(run['address'])}" if run.get("address") else ""
    yield from fields(
        [
            ("run", text_of(run["id"])),
            ("runbook", text_of(run["runbook"])),
            ("status", color.paint(text_of(run["status"]), colour=colour)),
            ("return code", text_of(run.get("return_code"))),
            ("requested by", f"{text_of(run['by'])} ({text_of(run['origin'])}){address}"),
            ("reason", text_of(run.get("reason"))),
            ("created", moment(run["created_at"])),
            ("started", moment(run.get("started_at"))),
            ("finished", moment(run.get("finished_at"))),
            ("duration", duration(run.get("duration_ms"))),
            ("cancel requested by", text_of(run.get("cancel_requested_by"))),
            ("called by run", text_of(run.get("parent_id"))),
            ("correlation ID", text_of(run.get("correlation_id"))),
            ("output", f"{text_of(run.get('log_lines'))} lines"),
        ]
    )
    inputs = run.get("inputs") or {}
    yield from _block("inputs", ([text_of(k), _given(v)] for k, v in inputs.items()))
    yield from _block("steps", (_step_result_row(step) for step in run.get("steps", [])))
    yield from _block("changes", (_effect_row(effect) for effect in run.get("effects", [])))
    yield from _block("errors", ([text_of(error)] for error in run.get("errors", [])))
    yield from _block("warnings", ([text_of(warning)] for warning in run.get("warnings", [])))
    outputs = run.get("outputs") or {}
    yield from _block("outputs", ([text_of(k), text_of(v)] for k, v in outputs.items()))
    yield from _block("called runs", map(_run_row, _called(run)))


def _called(run: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The runs that it called, except those of a fan-out."""
    for child in run.get("children", []):
        of_device = any(lock.startswith(DEVICE_LOCK) for lock in child.get("locks", []))
        if not (run.get("fanouts") and of_device):
            yield child


def _given(value: Mapping[str, Any]) -> str:
    return text_of(value["value"], '""') if "value" in value else "(not shown)"


@click.command(
    "validate",
    cls=ExampleCommand,
    permission=Permission.RUNBOOK_VALIDATE,
    examples=(
        "runbook validate Deploy.md",
        "runbook validate --runbook Deploy.md --env STAGE=test --env-file test.env",
        "runbook validate proxmox/CreateVm.md --url http://localhost:8083 --json",
    ),
    short_help="Validate a runbook without executing it.",
)
@runbook_choice
@env_option
@env_file_option
@secret_option
@json_option
@source_options
def validate(
    runbook: str,
    env: tuple[Assignment, ...],
    env_file: Path | None,
    secret: tuple[Assignment, ...],
    as_json: bool,
    **given: Any,
) -> int:
    """Validate a runbook and its inputs without executing it.

    Each problem is one line: FILE:LINE: error: what is wrong (what to do). The exit code is 65 if
    there are errors, and 77 if you don't have the required claims.
    """
    options = SourceOptions(**given)
    check_stdin_once(secret, token_stdin=options.token_stdin)
    inputs = gather(env, secret, env_file)
    report = _validate(options, runbook, inputs)
    if as_json:
        print_json(report)
    else:
        for problem in report["problems"]:
            print_line(problem_line(runbook, problem))
        if report["success"]:
            note(f"{runbook} is valid")
    return 0 if report["success"] else exit_codes.INVALID


def _validate(options: SourceOptions, what: str, inputs: GivenInputs) -> Mapping[str, Any]:
    with file_or_ref(options, what) as (source, ref):
        return source.validate(ref, with_files(inputs, lambda: source.inputs(ref)))


@contextmanager
def file_or_ref(options: SourceOptions, what: str) -> Iterator[tuple[RunSource, str]]:
    """A runbook of the server, or a local one, whose file may be outside RUNBOOKS_DIR."""
    if options.url:
        with options.open() as source:
            yield source, what
        return
    with _local_file(options, what) as found:
        yield found


@contextmanager
def _local_file(options: SourceOptions, what: str) -> Iterator[tuple[RunSource, str]]:
    """A local runbook. If it is outside RUNBOOKS_DIR, its folder is the runbooks directory."""
    from runbook.cli.source.local import open_with
    from runbook.cli.source.locate import locate
    from runbook.settings import process_environment

    environment = process_environment()
    target = locate(what, environment)
    token = options.token(environment)
    with open_with(target.settings, token) as source:
        yield source, target.ref
