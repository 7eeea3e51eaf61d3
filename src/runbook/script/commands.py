"""Functions for scripts: progress, variables for later steps, outputs, masking, calls.

    import runbook

    runbook.progress(40, "Cloning disk")
    runbook.output("vmid", 104)

Imports little, and only from the standard library, so that scripts start fast. All functions except
`dry_run` raise NotInRunError outside a run.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runbook.errors import RunbookError
from runbook.script.limits import LINE_BYTES, OUTPUT_NAME, VARIABLE_NAME

if TYPE_CHECKING:
    from runbook.script.calling import Caller

__all__ = [
    "CalledRunbookError",
    "FanoutFailedError",
    "NotInRunError",
    "artifact",
    "call",
    "device",
    "dry_run",
    "env",
    "fanout",
    "file_inputs",
    "mask",
    "output",
    "plan",
    "progress",
    "summary",
]

OnBusy = Literal["wait", "skip"]
Label = Literal["verified", "assumed", "unknown"]
LABELS: tuple[Label, ...] = ("verified", "assumed", "unknown")

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK


class NotInRunError(RunbookError, RuntimeError):
    """This works only in the script of a run."""

    exit_code = 2


class CalledRunbookError(RunbookError):
    """A called runbook did not succeed. `done` is its `done` event."""

    def __init__(self, done: Mapping[str, Any]) -> None:
        super().__init__(_failure(done))
        self.done = done


class FanoutFailedError(RunbookError):
    """A fan-out did not succeed for every device. `result` is what it would have returned."""

    def __init__(self, result: Mapping[str, Any]) -> None:
        done, left = result["failed"], result["not_started"]
        super().__init__(f"{result['runbook']} failed for {done} devices; {left} weren't started")
        self.result = result


def progress(percent: float, text: str = "") -> None:
    """Report progress in percent, with an optional text. Raises ValueError."""
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be between 0 and 100, not {percent}")
    number = f"{percent:.2f}".rstrip("0").rstrip(".")
    _append("RUNBOOK_PROGRESS", _line(f"{number} {text}"))


def plan(text: str, *, label: Label = "unknown") -> None:
    """Report a change that a real run would make. Call this once per change.

    `verified`: confirmed by reading the current state; `assumed`: derived from the inputs. Raises
    ValueError for another label or an empty text.
    """
    if label not in LABELS:
        raise ValueError(f"label must be one of {', '.join(LABELS)}, not {label!r}")
    if not text.strip():
        raise ValueError("text must not be empty")
    _append("RUNBOOK_PLAN", _line(f"{label}: {text}"))


def env(name: str, value: object) -> None:
    """Set a variable for later steps. Raises ValueError for an invalid name or value."""
    _assign("RUNBOOK_ENV", name, value, VARIABLE_NAME)


def output(name: str, value: object) -> None:
    """Set an output of the run; non-strings are stored as JSON. Raises ValueError and TypeError."""
    _assign("RUNBOOK_OUTPUT", name, value, OUTPUT_NAME)


def device(name: str, /, **fields: object) -> None:
    """Report what is known of a device now; a new one is added. Fields not given stay.

    Times are ISO 8601 or "now". The Policy needs `inventory: update`. Raises TypeError and
    ValueError for what is not JSON.
    """
    import json

    _append(
        "RUNBOOK_DEVICES", json.dumps({**fields, "name": name}, allow_nan=False).encode() + b"\n"
    )


def summary(markdown: str) -> None:
    """Add Markdown to the run's summary. Adds a final newline if there is none."""
    _append("RUNBOOK_SUMMARY", _encoded("the summary", markdown.removesuffix("\n") + "\n"))


def mask(value: str) -> None:
    """Mask this value in all further output. Call this before you print the value."""
    text = _encoded("the value", value).decode()
    if "\n" in text or text.endswith("\r") or text.startswith("<<"):
        _append("RUNBOOK_MASK", _several_lines("", text).encode())
    elif text:
        _append("RUNBOOK_MASK", f"{text}\n".encode())


def artifact(path: str | os.PathLike[str], name: str | None = None) -> Path:
    """Save a file as an artifact of the run. Returns the path of the copy.

    `name` defaults to the file's name and may contain folders. Raises ValueError for a name that
    leaves the artifacts folder, and OSError.
    """
    import shutil
    from contextlib import suppress

    kept = Path(path).name if name is None else name
    folder = Path(_given("RUNBOOK_ARTIFACTS"))
    if not kept or Path(kept).is_absolute() or ".." in Path(kept).parts or not kept.isprintable():
        raise ValueError(f"{kept!r} is not a valid artifact name. Use a relative path without ..")
    copy = folder / kept
    copy.parent.mkdir(parents=True, exist_ok=True)
    with suppress(shutil.SameFileError):  # the script created it in the artifacts folder
        shutil.copyfile(path, copy)
    return copy


def dry_run() -> bool:
    """Whether this is a dry run, which must change nothing. False outside a run."""
    return _environment().get("RUNBOOK_DRY_RUN", "") not in ("", "0")


def in_run() -> bool:
    """Whether this is the script of a run."""
    return bool(_environment().get("RUNBOOK_RUN_ID"))


def variable(name: str) -> str:
    """A variable of the run. Raises NotInRunError if it is not set."""
    return _given(name)


def call(
    ref: str,
    inputs: Mapping[str, object] | None = None,
    *,
    confirm: str | None = None,
    quiet: bool = False,
    progress: tuple[float, float] | None = None,
    **more: object,
) -> dict[str, Any]:
    """Execute another runbook, wait until it finishes, and return its outputs.

    Pass inputs by name, in `inputs` or as keywords; for a Path, the file's content is sent. The
    runbook's output is shown in a frame on standard error unless `quiet`. `confirm` is the text
    that a policy may require. With `progress=(20, 90)`, this run's progress goes from 20 % to 90 %
    as that of the called run goes from 0 % to 100 %.

    Raises CalledRunbookError if the run doesn't succeed, another RunbookError if it can't start,
    and OSError for an unreadable file.
    """
    import sys

    from runbook.script import calling
    from runbook.script.frame import Frame

    _encoded("the ref", ref)
    values = {name: calling.sent(value) for name, value in {**(inputs or {}), **more}.items()}
    request = calling.CallRequest(ref, values, confirm)
    frame = None if quiet else Frame(ref, sys.stderr)
    relay = None if progress is None else _relay(*progress)
    done = calling.follow(calling.transport(_caller()), request, frame, relay)
    if done.get("success") is not True:
        raise CalledRunbookError(done)
    return dict(done.get("outputs") or {})


def _relay(start: float, end: float) -> Callable[[float, str], None]:
    """Reports the progress of a called run as a part of our own."""

    def report(percent: float, text: str) -> None:
        progress(start + (end - start) * min(max(percent, 0), 100) / 100, text)

    return report


def fanout(  # noqa: PLR0913 - as many as the command has options
    ref: str,
    over: Sequence[str],
    inputs: Mapping[str, object] | None = None,
    *,
    input: str | None = None,  # noqa: A002 - as in the command
    parallel: int | str = "10",
    max_failures: int | str | None = None,
    canary: int = 0,
    on_busy: OnBusy = "wait",
    confirm: str | None = None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Execute a runbook once for each device, and wait until all have finished.

    `over` has the devices' names, which the runbook's input `input` of type device gets: its only
    one unless given. `inputs` are the same for all. `parallel` and `max_failures` are numbers, or
    percentages such as "20%". Returns what the command prints. Raises FanoutFailedError if a device
    failed or wasn't started, another RunbookError if it can't go on, and OSError for an unreadable
    file.
    """
    import sys

    from runbook.script import calling, fanning

    _encoded("the ref", ref)
    values = {name: calling.sent(value) for name, value in (inputs or {}).items()}
    asked = fanning.Asked(
        calling.CallRequest(ref, values, confirm),
        over,
        input,
        str(parallel),
        None if max_failures is None else str(max_failures),
        canary,
        on_busy,
    )
    shown = None if quiet else sys.stderr
    result = fanning.fan_out(calling.transport(_caller()), asked, shown, progress)
    if result["failed"] or result["not_started"]:
        raise FanoutFailedError(result)
    return result


def file_inputs(ref: str) -> frozenset[str]:
    """The names of a runbook's file inputs. Raises RunbookError."""
    from runbook.script import calling

    return calling.file_inputs(calling.transport(_caller()), ref)


def _caller() -> Caller:
    from runbook.script.calling import Caller

    environment = _environment()
    return Caller(
        token=_given("RUNBOOK_API_TOKEN"),
        url=environment.get("RUNBOOK_URL", ""),
        socket=environment.get("RUNBOOK_SOCKET", ""),
        correlation_id=environment.get("RUNBOOK_CORRELATION_ID", ""),
        recursion_stack=environment.get("RUNBOOK_RECURSION_STACK", ""),
        run_id=environment.get("RUNBOOK_RUN_ID", ""),
    )


def _environment() -> Mapping[str, str]:
    return os.environ


def _given(variable: str) -> str:
    value = _environment().get(variable)
    if not value:
        raise NotInRunError(f"{variable} is not set. This works only in the script of a run")
    return value


def _assign(variable: str, name: str, value: object, allowed: re.Pattern[str]) -> None:
    if not allowed.fullmatch(name):
        more = "" if allowed is VARIABLE_NAME else ", . and -"
        raise ValueError(
            f"{name[:80]!r} is not a valid name. Use up to 128 letters, digits and _{more}, and "
            "don't start with a digit"
        )
    text = _encoded(f"the value of {name}", _text(value)).decode()
    several = "\n" in text or text.endswith("\r")  # at the end of a line, it would be its end
    record = _several_lines(name, text) if several else f"{name}={text}\n"
    _append(variable, record.encode())


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)


def _several_lines(name: str, text: str) -> str:
    """A value of several lines. Its end marker is random, so that no value can contain it."""
    import secrets

    word = f"end-{secrets.token_hex(16)}"
    return f"{name}<<{word}\n{text}\n{word}\n"


def _encoded(what: str, text: str) -> bytes:
    if "\0" in text:
        raise ValueError(f"{what} contains a NUL character")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} is not valid Unicode") from None


def _line(text: str) -> bytes:
    """One line, cut at the longest atomic write."""
    data = " ".join(text.splitlines()).encode("utf-8", "replace")
    return data[: LINE_BYTES - 1].decode("utf-8", "ignore").encode() + b"\n"


def _append(variable: str, data: bytes) -> None:
    """Append to a handover file or pipe. Raises NotInRunError, and OSError if the disk is full."""
    try:
        # A pipe without a reader must not block the script.
        descriptor = os.open(_given(variable), _APPEND, 0o600)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return
        raise
    try:
        os.set_blocking(descriptor, True)
        while data:
            data = data[os.write(descriptor, data) :]
    except BrokenPipeError:
        return
    finally:
        os.close(descriptor)


def _failure(done: Mapping[str, Any]) -> str:
    from runbook.script.narration import ending

    errors = done.get("errors")
    why = f": {'; '.join(map(str, errors))}" if errors else ""
    return f"{done.get('runbook')} {ending(done)}{why}"
