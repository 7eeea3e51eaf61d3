"""Executes a runbook once for each device: asks the engine to go on until all have finished.

Imports only the standard library, as `calling` does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TextIO

from runbook.errors import ServerUnavailableError
from runbook.quick_dataclass import dataclass
from runbook.script.calling import CallRequest, Json, Transport
from runbook.script.frame import SIDE
from runbook.script.sse import PATIENCE_SECONDS, RETRY_SECONDS

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A fan-out: the child runbook with the inputs that are the same for all, and the devices."""

    request: CallRequest
    devices: Sequence[str]
    input: str | None = None
    parallel: str = "10"
    max_failures: str | None = None
    canary: int = 0
    on_busy: str = "wait"

    def as_json(self) -> Json:
        return {
            "runbook": self.request.ref,
            "devices": list(self.devices),
            "input": self.input,
            "parallel": self.parallel,
            "max_failures": self.max_failures,
            "canary": self.canary,
            "on_busy": self.on_busy,
            # Each attempt of a script has a session of its own.
            "session": str(os.getsid(0)),
        }


def fan_out(
    transport: Transport, asked: Asked, stream: TextIO | None, progress: Progress
) -> dict[str, Any]:
    """The result, once no device is left to start or to wait for. Raises RunbookError."""
    planned = transport.plan(asked.as_json())
    n, was_paused = int(planned["n"]), False
    _print(stream, [f"{planned['runbook']} for {_devices(planned['devices'])}"])
    while True:
        done = _patiently(lambda: transport.advance(n, asked.request))
        fanout = done["fanout"]
        _print(stream, filter(None, map(line_of, done["changes"])))
        if fanout["paused"] is not was_paused:
            was_paused = bool(fanout["paused"])
            _print(stream, ["paused" if was_paused else "going on"])
        percent, text = progress_of(fanout)
        progress(percent, text)
        if done["over"]:
            _print(stream, [text, *_why(fanout)])
            return result_of(fanout)


def _patiently(ask: Callable[[], Json]) -> Json:
    """While the server restarts, it is asked again: asking twice does nothing twice."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except ServerUnavailableError:
            if time.monotonic() > until:
                raise
        time.sleep(RETRY_SECONDS)


def result_of(fanout: Mapping[str, Any]) -> dict[str, Any]:
    counts = fanout["counts"]
    return {
        "runbook": fanout["runbook"],
        "fanout": fanout["n"],
        "devices": fanout["devices"],
        "succeeded": counts["succeeded"],
        "failed": counts["failed"],
        "skipped": counts["skipped"],
        "not_started": counts["pending"],
        "stopped": fanout["stopped"],
    }


def progress_of(fanout: Mapping[str, Any]) -> tuple[float, str]:
    """How much is done, in percent and in words."""
    counts, total = fanout["counts"], fanout["devices"]
    done = counts["succeeded"] + counts["failed"] + counts["skipped"]
    text = f"{done} of {_devices(total)} done"
    for state in ("failed", "skipped", "running"):
        if counts[state]:
            text += f", {counts[state]} {state}"
    if fanout["paused"]:
        text += ", paused"
    return round(100 * done / total, 1) if total else 100.0, text


def line_of(device: Mapping[str, Any]) -> str:
    """What is said of a device that started, ended or was skipped."""
    text = f"{device['device']} {_STATES.get(device['state'], device['state'])}"
    if device["state"] == "running":
        return f"{text}: run {device['run_id']}" if device["run_id"] else ""
    if device["duration_ms"] is not None:
        text += f" after {device['duration_ms'] / 1000:.1f} s"
    if device["message"]:
        text += f": {' '.join(str(device['message']).split())}"
    return text


_STATES = {"running": "started"}
_STOPS = {
    "max_failures": "no more devices were started: too many failed",
    "canary": "no more devices were started: a canary failed",
}


def _why(fanout: Mapping[str, Any]) -> list[str]:
    stopped = fanout["stopped"]
    return [_STOPS.get(stopped, str(stopped))] if stopped else []


def _devices(number: int) -> str:
    return f"{number} device" if number == 1 else f"{number} devices"


def _print(stream: TextIO | None, lines: Iterable[str]) -> None:
    if stream is None:
        return
    with suppress(OSError, ValueError):  # nobody reads it
        for line in lines:
            stream.write(f"{SIDE}{line}\n")
        stream.flush()
