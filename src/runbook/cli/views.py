"""How a run looks while `runbook execute` executes it: as text, or as lines of JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol, TextIO

import click

from runbook.cli.commands import silence
from runbook.cli.messages import note, print_json, print_warning
from runbook.cli.render import Json, duration, problem_line
from runbook.core.run import EventType, RunEvent


class RunView(Protocol):
    """Shows one run. Goes on without showing anything where nobody reads any more."""

    def event(self, event: RunEvent) -> None: ...

    def refused(self, ref: str, message: str) -> None:
        """Nothing was started, for want of claims."""

    def invalid(self, events: Sequence[RunEvent], problems: Sequence[Json]) -> None:
        """Nothing was started; the reasons, as the run's events and as problems with lines."""

    def ended(self, run: Json) -> None: ...


class JsonView:
    """One line of JSON per event on standard output, and nothing else there."""

    def __init__(self) -> None:
        self._read = True

    def event(self, event: RunEvent) -> None:
        self._print(event.as_json())

    def refused(self, ref: str, message: str) -> None:
        self._print(
            {
                "type": EventType.DONE.value,
                "success": False,
                "runbook": ref,
                "return_code": 403,
                "errors": [message],
                "warnings": [],
                "status": "refused",
                "outputs": {},
            }
        )

    def invalid(self, events: Sequence[RunEvent], problems: Sequence[Json]) -> None:  # noqa: ARG002
        for event in events:
            self.event(event)

    def ended(self, run: Json) -> None:
        """The `done` event has said it."""

    def _print(self, value: Json) -> None:
        if not self._read:
            return
        try:
            print_json(value, pretty=False)
        except BrokenPipeError:
            self._read = False
            silence(sys.stdout)


class TextView:
    """The script's output where it belongs; what the engine says goes to standard error."""

    def __init__(self, file: str, *, quiet: bool) -> None:
        self._file = file
        self._quiet = quiet
        self._on_new_line = True
        self._last: TextIO | None = None

    def event(self, event: RunEvent) -> None:
        data = event.data or {}
        match event.type:
            case EventType.STDOUT:
                self._write(sys.stdout, event.text or "")
            case EventType.STDERR:
                self._write(sys.stderr, event.text or "")
            case EventType.STEP if data.get("state") == "started":
                self._note(f"step {event.step}: {data.get('name')}")
            case EventType.NOTICE:
                self._note(str(data.get("message")))
            case EventType.WAITING:
                self._note(str(data.get("reason")))

    def refused(self, ref: str, message: str) -> None:
        """The error says it."""

    def invalid(self, events: Sequence[RunEvent], problems: Sequence[Json]) -> None:  # noqa: ARG002
        for problem in problems:
            click.echo(problem_line(self._file, problem), err=True)

    def ended(self, run: Json) -> None:
        if self._quiet:
            return
        self._end_line()
        warnings = run.get("warnings")
        for warning in warnings if isinstance(warnings, list) else ():
            print_warning(str(warning))
        note(_ending(run))

    def _note(self, text: str) -> None:
        if not self._quiet:
            self._end_line()
            note(text)

    def _write(self, stream: TextIO, text: str) -> None:
        """Bytes of UTF-8 whatever the locale says. A reader that left does not end the run."""
        if not text:
            return
        self._on_new_line = text.endswith("\n")
        self._last = stream
        try:
            stream.buffer.write(text.encode("utf-8", errors="replace"))
            stream.flush()
        except BrokenPipeError:
            silence(stream)

    def _end_line(self) -> None:
        """Do not write behind a line that the script left open where this goes too."""
        shared = sys.stdout.isatty() and sys.stderr.isatty()
        if not self._on_new_line and (shared or self._last is sys.stderr):
            sys.stderr.write("\n")
        self._on_new_line = True


def view_of(file: str, *, as_json: bool, quiet: bool) -> RunView:
    return JsonView() if as_json else TextView(file, quiet=quiet)


def _ending(run: Json) -> str:
    """`Deploy.md failed with return code 3 after 1.2 s; run 0198...`"""
    code, took = run.get("return_code"), run.get("duration_ms")
    with_code = f" with return code {code}" if run["status"] == "failed" else ""
    after = f" after {duration(took)}" if took is not None else ""
    return f"{run['runbook']} {run['status']}{with_code}{after}; run {run['id']}"
