"""Fan-outs of a run, and their devices."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from runbook.core.fanout.limits import WhenBusy
from runbook.core.fanout.progress import DeviceState, StopReason
from runbook.core.fanout.views import Advanced, CountedFanout, FanoutDevice, FanoutPage
from runbook.resources.forms import Doc, optional_iso


class FanoutCountsJson(TypedDict):
    """The number of devices in each state."""

    pending: int
    running: int
    succeeded: int
    failed: int
    skipped: int


class FanoutJson(TypedDict):
    """A fan-out: one run of `runbook` per device."""

    n: Annotated[int, Doc("Its number in the run, from 1")]
    runbook: str
    input: Annotated[str, Doc("The input that gets the device")]
    devices: Annotated[int, Doc("Number of all devices")]
    counts: FanoutCountsJson
    parallel: int
    max_failures: int | None
    canary: int
    on_busy: WhenBusy
    paused: bool
    stopped: Annotated[StopReason | None, Doc("Why it started no more devices")]
    created_at: str | None
    finished_at: str | None


class FanoutDeviceJson(TypedDict):
    """A device of a fan-out."""

    fanout: Annotated[int, Doc("Number of the fan-out, from 1")]
    place: Annotated[int, Doc("Position in the fan-out, from 1")]
    device: str
    state: DeviceState
    run_id: Annotated[str | None, Doc("Its child run")]
    earlier: Annotated[bool, Doc("Whether an earlier run, which this one retries, has done it")]
    code: Annotated[str | None, Doc("Code of the problem, if it failed or was skipped")]
    message: str | None
    until: Annotated[str | None, Doc("Until when its breaker is open, if it was skipped for that")]
    phase: Annotated[str | None, Doc("What its run reported last as its progress")]
    percent: float | None
    started_at: str | None
    finished_at: str | None
    duration_ms: int | None


class FanoutPageJson(TypedDict):
    """All fan-outs of a run, and a page of their devices."""

    fanouts: list[FanoutJson]
    devices: list[FanoutDeviceJson]
    next_cursor: str | None


class AdvancedJson(TypedDict):
    """Where a fan-out stands, for its script."""

    fanout: FanoutJson
    changes: Annotated[list[FanoutDeviceJson], Doc("Devices that were started, ended or skipped")]
    over: Annotated[bool, Doc("Whether no device is left to start or to wait for")]


def fanout_json(counted: CountedFanout) -> FanoutJson:
    fanout, counts = counted.fanout, counted.counts
    return {
        "n": fanout.n,
        "runbook": fanout.ref,
        "input": fanout.input,
        "devices": counts.total,
        "counts": {
            "pending": counts.pending,
            "running": counts.running,
            "succeeded": counts.succeeded,
            "failed": counts.failed,
            "skipped": counts.skipped,
        },
        "parallel": fanout.limits.parallel,
        "max_failures": fanout.limits.max_failures,
        "canary": fanout.limits.canary,
        "on_busy": fanout.when_busy,
        "paused": fanout.paused,
        "stopped": fanout.stopped,
        "created_at": optional_iso(fanout.created_at),
        "finished_at": optional_iso(fanout.finished_at),
    }


def fanout_device_json(device: FanoutDevice) -> FanoutDeviceJson:
    return {
        "fanout": device.n,
        "place": device.place,
        "device": device.device,
        "state": device.state,
        "run_id": device.run_id,
        "earlier": device.earlier,
        "code": device.code,
        "message": device.message,
        "until": optional_iso(device.until),
        "phase": device.phase,
        "percent": device.percent,
        "started_at": optional_iso(device.started_at),
        "finished_at": optional_iso(device.finished_at),
        "duration_ms": device.duration_ms,
    }


def fanout_page_json(page: FanoutPage) -> FanoutPageJson:
    return {
        "fanouts": [fanout_json(one) for one in page.fanouts],
        "devices": [fanout_device_json(one) for one in page.devices],
        "next_cursor": page.next_cursor,
    }


def advanced_json(done: Advanced) -> AdvancedJson:
    return {
        "fanout": {**fanout_json(done.counted), "stopped": done.stopped},
        "changes": [fanout_device_json(one) for one in done.changes],
        "over": done.over,
    }
