"""Reads fan-outs and their devices, whose state is that of their child runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from runbook.core.document import Problem, Severity
from runbook.core.events import EventType
from runbook.core.fanout.limits import Limits, WhenBusy
from runbook.core.fanout.progress import Counts, DeviceState, StopReason, state_of
from runbook.core.fanout.views import Fanout, FanoutDevice, FanoutPlace
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.store.device_tables import fanout_devices, fanouts
from runbook.store.reading import problems_of
from runbook.store.rows import event_key
from runbook.store.tables import events, runs

OF_FANOUT = sa.and_(
    fanout_devices.c.run_seq == sa.bindparam("of_run"), fanout_devices.c.n == sa.bindparam("of_n")
)
DEVICES = sa.select(
    fanout_devices,
    runs.c.seq.label("child_seq"),
    runs.c.status.label("child_status"),
    runs.c.errors.label("child_errors"),
    runs.c.return_code.label("child_code"),
    runs.c.started_at.label("child_started"),
    runs.c.finished_at.label("child_finished"),
    runs.c.dry_run.label("child_dry"),
).select_from(
    # What has ended is settled, and need not be looked up again.
    fanout_devices.outerjoin(
        runs,
        sa.and_(
            runs.c.id == fanout_devices.c.run_id,
            fanout_devices.c.state == DeviceState.RUNNING.value,
        ),
    )
)
_COUNTS = (
    sa.select(fanout_devices.c.state, sa.func.count())
    .where(OF_FANOUT)
    .group_by(fanout_devices.c.state)
)
RUNNING = DEVICES.where(OF_FANOUT, fanout_devices.c.state == DeviceState.RUNNING.value).order_by(
    fanout_devices.c.place
)
ENDED = RUNNING.where(runs.c.finished_at.is_not(None))
IS_TAKEN = sa.and_(
    fanout_devices.c.state == DeviceState.RUNNING.value, fanout_devices.c.run_id.is_(None)
)
"""Its run is being submitted. If that was interrupted for good, it stays like this."""
_TAKEN = sa.select(sa.func.count()).select_from(fanout_devices).where(OF_FANOUT, IS_TAKEN)


def _last(kind: EventType, column: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The last event of a run of this kind."""
    return (
        sa.select(column)
        .where(
            events.c.key > sa.bindparam("first"),
            events.c.key < sa.bindparam("beyond"),
            events.c.type == kind.value,
        )
        .order_by(events.c.key.desc())
        .limit(1)
    )


_PROGRESS = _last(EventType.PROGRESS, events.c.data)
_ERROR_OUTPUT = _last(EventType.STDERR, events.c.text)
MESSAGE_LENGTH = 300
STEP_FAILED = "step_failed"
"""Says only that a step failed: what it said itself says more."""
_OWN = tuple(column.name for column in fanout_devices.c if column.name not in ("run_seq", "state"))


def key_of(fanout: Fanout) -> dict[str, int]:
    return {"of_run": fanout.run_seq, "of_n": fanout.n}


def fanout_of(row: sa.RowMapping) -> Fanout:
    return Fanout(
        row["run_seq"],
        row["n"],
        FanoutPlace(row["step"], row["session"], row["ordinal"]),
        row["ref"],
        row["input"],
        Limits(row["parallel"], row["max_failures"], row["canaries"]),
        WhenBusy(row["when_busy"]),
        row["created_at"],
        row["paused"],
        row["finished_at"],
        None if row["stopped"] is None else StopReason(row["stopped"]),
    )


def fanout_row(fanout: Fanout) -> dict[str, Any]:
    return {
        "run_seq": fanout.run_seq,
        "n": fanout.n,
        "step": fanout.place.step,
        "session": fanout.place.session,
        "ordinal": fanout.place.ordinal,
        "ref": fanout.ref,
        "input": fanout.input,
        "parallel": fanout.limits.parallel,
        "max_failures": fanout.limits.max_failures,
        "canaries": fanout.limits.canary,
        "when_busy": fanout.when_busy.value,
        "paused": fanout.paused,
        "created_at": fanout.created_at,
        "finished_at": fanout.finished_at,
        "stopped": fanout.stopped,
    }


def device_row(run_seq: int, device: FanoutDevice) -> dict[str, Any]:
    own = {name: getattr(device, name) for name in _OWN}
    return {**own, "run_seq": run_seq, "state": device.state.value}


def devices_of(connection: sa.Connection, rows: Iterable[sa.RowMapping]) -> list[FanoutDevice]:
    """The devices in rows of `DEVICES`, as they are now."""
    return [_device_of(connection, row) for row in rows]


def shown(device: FanoutDevice) -> FanoutDevice:
    """Without a run, it isn't running yet."""
    is_taken = device.state is DeviceState.RUNNING and device.run_id is None
    return replace(device, state=DeviceState.PENDING) if is_taken else device


def _device_of(connection: sa.Connection, row: sa.RowMapping) -> FanoutDevice:
    device = FanoutDevice(state=DeviceState(row["state"]), **{name: row[name] for name in _OWN})
    if row["child_status"] is None:
        return device
    percent, phase = _progress(connection, row["child_seq"])
    status = RunStatus(row["child_status"])
    problem = next(iter(problems_of(row["child_errors"] or (), Severity.ERROR)), None)
    code = None if problem is None else problem.code
    return replace(
        device,
        state=state_of(status, code),
        code=code,
        message=_message(connection, row, status, problem),
        phase=phase,
        percent=percent,
        started_at=row["child_started"],
        finished_at=row["child_finished"],
    )


def _message(
    connection: sa.Connection, row: sa.RowMapping, status: RunStatus, problem: Problem | None
) -> str | None:
    """Why a run waits, or what it said last before it failed."""
    if status is RunStatus.WAITING:
        return "Waiting for a lock"
    if problem is not None and problem.code != STEP_FAILED:
        return problem.message
    if not status.terminal or status is RunStatus.SUCCEEDED:
        return None
    written = connection.scalar(_ERROR_OUTPUT, _events_of(row["child_seq"])) or b""
    lines = bytes(written).decode("utf-8", "replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), None)
    if said:
        return said[:MESSAGE_LENGTH]
    return problem.message if problem else f"Return code {row['child_code']}"


def _events_of(run_seq: int) -> dict[str, int]:
    return {"first": event_key(run_seq, 0), "beyond": event_key(run_seq + 1, 0)}


def _progress(connection: sa.Connection, run_seq: int) -> tuple[float | None, str | None]:
    """How far a run said last that it was."""
    data = connection.scalar(_PROGRESS, _events_of(run_seq))
    if not isinstance(data, dict):
        return None, None
    percent, text = data.get("percent"), data.get("text")
    return (
        float(percent) if isinstance(percent, int | float) else None,
        text if isinstance(text, str) and text else None,
    )


def counts_of(connection: sa.Connection, fanout: Fanout) -> Counts:
    """As settled: a child run that has ended meanwhile is still counted as running."""
    found = {
        str(state): int(number) for state, number in connection.execute(_COUNTS, key_of(fanout))
    }
    return Counts(**{state.value: found.get(state.value, 0) for state in DeviceState})


def counts_now(connection: sa.Connection, fanout: Fanout) -> Counts:
    """As shown: with child runs that have ended, although nobody has settled them."""
    counts = counts_of(connection, fanout)
    if not counts.running:
        return counts
    ended = devices_of(connection, connection.execute(ENDED, key_of(fanout)).mappings())
    numbers = {state.value: getattr(counts, state.value) for state in DeviceState}
    taken = int(connection.scalar(_TAKEN, key_of(fanout)) or 0)
    numbers[DeviceState.RUNNING.value] -= taken
    numbers[DeviceState.PENDING.value] += taken
    for device in ended:
        numbers[DeviceState.RUNNING.value] -= 1
        numbers[device.state.value] += 1
    return Counts(**numbers)


OF_RUN = sa.select(fanouts).where(fanouts.c.run_seq == sa.bindparam("of_run")).order_by(fanouts.c.n)


def fanouts_of(connection: sa.Connection, run: Run) -> list[Fanout]:
    return [fanout_of(row) for row in connection.execute(OF_RUN, {"of_run": run.seq}).mappings()]
