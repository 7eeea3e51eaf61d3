"""Shows a run while it executes, as text or as JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TextIO

from runbook.cli.terminal.messages import note, print_json, print_warning, silence, write_error
from runbook.cli.terminal.progress import ProgressBar, shows_bars
from runbook.cli.terminal.render import Json, duration, problem_line
from runbook.core.events import EventType, RunEvent
from runbook.resources.event import event_json
from runbook.script.narration import NO_DRY_RUN, ending, told, was_not_executed


class RunView(Protocol):
    """Shows one run. If the output is closed or full, the run goes on."""

    def event(self, event: RunEvent) -> None: ...

    def refused(self, ref: str, message: str) -> None:
        """Nothing was started, because claims are missing."""

    def invalid(self, events: Sequence[RunEvent], problems: Sequence[Json]) -> None:
        """Nothing was started. The reasons come as the run's events and as problems with lines."""

    def ended(self, run: Json) -> None: ...


class JsonView:
    """Prints one line of JSON per event on standard output, and nothing else there."""

    def __init__(self) -> None:
        self._read = True

    def event(self, event: RunEvent) -> None:
        self._print(event_json(event))

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
        """Do nothing: the `done` event has the result."""

    def _print(self, value: Json) -> None:
        if not self._read:
            return
        try:
            print_json(value, pretty=False)
        except OSError:  # no reader, or a full disk
            self._read = False
            silence(sys.stdout)


class TextView:
    """Passes on the script's output, and prints the engine's messages on standard error.

    In a capable terminal, progress is a bar below everything else.
    """

    def __init__(self, file: str, *, quiet: bool, environment: Mapping[str, str]) -> None:
        self._file = file
        self._quiet = quiet
        self._open_line: TextIO | None = None
        self._told_progress: str | None = None
        bars = not quiet and shows_bars(sys.stderr, environment)
        self._bar = ProgressBar(sys.stderr) if bars else None

    def event(self, event: RunEvent) -> None:
        match event.type:
            case EventType.STDOUT:
                self._write(sys.stdout, event.text or "")
            case EventType.STDERR:
                self._write(sys.stderr, event.text or "")
            case EventType.PROGRESS:
                self._progress(event)
            case EventType.DONE:
                self._clear_bar(for_good=True)
            case EventType.PLAN if "preview" in (event.data or {}):
                self._preview(event.data or {})
            case _ if line := told(event_json(event)):
                self._note(line)

    def refused(self, ref: str, message: str) -> None:
        """Do nothing: the error message has the reason."""

    def invalid(self, events: Sequence[RunEvent], problems: Sequence[Json]) -> None:  # noqa: ARG002
        for problem in problems:
            write_error(problem_line(self._file, problem) + "\n")

    def ended(self, run: Json) -> None:
        self._clear_bar(for_good=True)
        if self._quiet:
            return
        self._end_line()
        for warning in _warnings(run):
            print_warning(warning)
        note(_ending(run))

    def _preview(self, data: Mapping[str, object]) -> None:
        """Print the preview on standard output, because it is the result of a dry run."""
        from runbook.cli.terminal.preview import preview_lines

        preview = data["preview"]
        if isinstance(preview, Mapping) and not self._quiet:
            self._write(sys.stdout, "\n".join(preview_lines(preview)) + "\n")

    def _progress(self, event: RunEvent) -> None:
        """Update the progress bar or, without one, print a line per change."""
        line = told(event_json(event))
        if line is None or line == self._told_progress:
            return
        self._told_progress = line
        if self._bar is None:
            self._note(line)
            return
        data = event.data or {}
        percent = data.get("percent")
        known = percent if isinstance(percent, int | float) else None
        self._bar.set(known, str(data.get("text") or ""))
        self._draw_bar()

    def _draw_bar(self) -> None:
        """Draw the bar, except after an unfinished line of the script."""
        if self._bar is not None and not self._shared(self._open_line):
            self._bar.draw()

    def _clear_bar(self, *, for_good: bool = False) -> None:
        if self._bar is not None:
            self._bar.clear()
        if for_good:
            self._bar = None

    def _note(self, text: str) -> None:
        if not self._quiet:
            self._clear_bar()
            self._end_line()
            note(text)
            self._draw_bar()

    def _write(self, stream: TextIO, text: str) -> None:
        """Write UTF-8 regardless of the locale. A closed or full stream doesn't end the run."""
        if not text:
            return
        self._clear_bar()
        self._open_line = None if text.endswith("\n") else stream
        try:
            stream.buffer.write(text.encode("utf-8", errors="replace"))
            stream.flush()
        except OSError as error:
            silence(stream)
            if not isinstance(error, BrokenPipeError):
                print_warning(f"The output can't be written: {error.strerror}")
        self._draw_bar()

    def _end_line(self) -> None:
        """End an unfinished line of the script if it appears where our messages do."""
        if self._shared(self._open_line):
            write_error("\n")
        self._open_line = None

    @staticmethod
    def _shared(stream: TextIO | None) -> bool:
        """Whether the stream's output appears in the same place as our messages."""
        both = sys.stdout.isatty() and sys.stderr.isatty()
        return stream is not None and (both or stream is sys.stderr)


def view_of(file: str, *, as_json: bool, quiet: bool, environment: Mapping[str, str]) -> RunView:
    return JsonView() if as_json else TextView(file, quiet=quiet, environment=environment)


def _ending(run: Json) -> str:
    """`Deploy.md failed with return code 3 after 1.2 s; run 0198...`"""
    took = None if was_not_executed(run) else run.get("duration_ms")
    after = f" after {duration(took)}" if took is not None else ""
    return f"{run['runbook']} {ending(run)}{after}; run {run['id']}"


def _warnings(run: Json) -> Iterator[str]:
    """The warnings, without the one that the ending repeats."""
    problems, warnings = run.get("problems"), run.get("warnings")
    told_below = {
        problem["message"]
        for problem in (problems if isinstance(problems, list) else ())
        if problem["code"] == NO_DRY_RUN
    }
    for warning in warnings if isinstance(warnings, list) else ():
        if warning not in told_below:
            yield str(warning)
