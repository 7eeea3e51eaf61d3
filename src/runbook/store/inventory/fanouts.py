"""Fan-outs: the devices of a run that calls a runbook for each of them.

What is recorded here is who is next; how a child run ended is in its own row until it is settled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from runbook.core.audit import NewAuditEvent
from runbook.core.document import Problem
from runbook.core.fanout.progress import Counts, DeviceState, StopReason
from runbook.core.fanout.views import CountedFanout, Fanout, FanoutDevice, FanoutPage
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.core.times import Millis, iso
from runbook.quick_dataclass import dataclass
from runbook.store.audit import append_audit
from runbook.store.device_tables import fanout_devices, fanouts
from runbook.store.inventory.breakers import DeviceEnd, count_end, open_breakers
from runbook.store.inventory.fanout_rows import (
    DEVICES,
    ENDED,
    IS_TAKEN,
    OF_FANOUT,
    RUNNING,
    counts_now,
    counts_of,
    device_row,
    devices_of,
    fanout_of,
    fanout_row,
    fanouts_of,
    key_of,
    shown,
)
from runbook.store.reading import RUN_BY_ID, runs_of
from runbook.store.rows import Component

_INSERT = sa.insert(fanouts)
_INSERT_DEVICES = sa.insert(fanout_devices)
_CHUNK = 500
_THIS = sa.and_(fanouts.c.run_seq == sa.bindparam("of_run"), fanouts.c.n == sa.bindparam("of_n"))
_ONE = sa.select(fanouts).where(_THIS)
_LOCK = _ONE.with_for_update()
_FINISH = (
    sa.update(fanouts)
    .where(_THIS, fanouts.c.finished_at.is_(None))
    .values(finished_at=sa.bindparam("at"), stopped=sa.bindparam("why"))
)
_PAUSE = (
    sa.update(fanouts)
    .where(fanouts.c.run_seq == sa.bindparam("of_run"), fanouts.c.finished_at.is_(None))
    .values(paused=sa.bindparam("now_paused", type_=sa.Boolean))
)
_PENDING = (
    DEVICES.where(OF_FANOUT, fanout_devices.c.state == DeviceState.PENDING.value)
    .order_by(fanout_devices.c.place)
    .limit(sa.bindparam("most"))
)
_UNSTARTED = RUNNING.where(fanout_devices.c.run_id.is_(None))
_PLACE = sa.and_(OF_FANOUT, fanout_devices.c.place == sa.bindparam("of_place"))
_IS_RUNNING = fanout_devices.c.state == DeviceState.RUNNING.value
_ATTACH = sa.update(fanout_devices).where(_PLACE, _IS_RUNNING).values(run_id=sa.bindparam("child"))
_CHANGE = (
    sa.update(fanout_devices)
    .where(_PLACE)
    .values(
        state=sa.bindparam("to_state"),
        code=sa.bindparam("to_code"),
        message=sa.bindparam("to_message"),
        until=sa.bindparam("to_until"),
        phase=sa.bindparam("to_phase"),
        percent=sa.bindparam("to_percent"),
        started_at=sa.bindparam("to_started_at"),
        finished_at=sa.bindparam("to_finished_at"),
    )
)
_CHANGED = ("code", "message", "until", "phase", "percent", "started_at", "finished_at")
_DONE = DEVICES.where(
    OF_FANOUT,
    fanout_devices.c.state.in_((DeviceState.SUCCEEDED.value, DeviceState.RUNNING.value)),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a fan-out changed: these devices are started next, those were skipped."""

    starting: Sequence[FanoutDevice] = ()
    skipped: Sequence[FanoutDevice] = ()


class Fanouts(Component):
    def create(self, run: Run, made: Callable[[int], Fanout], devices: Sequence[str]) -> Fanout:
        """Plan a fan-out of the run; `made` gets its number, from 1.

        Devices that succeeded in the same fan-out before are taken over from there: in an earlier
        attempt of the step, or in the run that this one retries or resumes.
        """

        def work(connection: sa.Connection) -> Fanout:
            known = fanouts_of(connection, run)
            new = made(len(known) + 1)
            place = replace(new.place, ordinal=_ordinal(known, new))
            new = replace(new, place=place)
            done = _done_before(connection, run, known, new)
            connection.execute(_INSERT, fanout_row(new))
            rows = [
                device_row(run.seq, _planned(new.n, number, name, done))
                for number, name in enumerate(devices, start=1)
            ]
            for start in range(0, len(rows), _CHUNK):
                connection.execute(_INSERT_DEVICES, rows[start : start + _CHUNK])
            return new

        return self._database.write(work)

    def get(self, run: Run, n: int) -> Fanout | None:
        def work(connection: sa.Connection) -> Fanout | None:
            row = connection.execute(_ONE, {"of_run": run.seq, "of_n": n}).mappings().first()
            return None if row is None else fanout_of(row)

        return self._database.read(work)

    def counts(self, fanout: Fanout) -> Counts:
        return self._database.read(lambda connection: counts_of(connection, fanout))

    def settle(self, fanout: Fanout) -> list[FanoutDevice]:
        """Record how child runs ended, and count it for their breakers. Each is returned once."""

        def ended(connection: sa.Connection) -> list[tuple[FanoutDevice, RunStatus, bool]]:
            rows = list(connection.execute(ENDED, key_of(fanout)).mappings())
            return [
                (device, RunStatus(row["child_status"]), bool(row["child_dry"]))
                for row, device in zip(rows, devices_of(connection, rows), strict=True)
            ]

        def work(connection: sa.Connection) -> list[FanoutDevice]:
            connection.execute(_LOCK, key_of(fanout))
            found = ended(connection)
            for device, _, _ in found:
                _change(connection, fanout, device)
            # In one order, so that two fan-outs over the same devices can't block each other.
            for device, status, dry in sorted(found, key=lambda item: item[0].device):
                if not dry and device.state is not DeviceState.SKIPPED:
                    at = device.finished_at or self._clock()
                    count_end(connection, DeviceEnd(fanout.ref, device.device, status, at))
            return [device for device, _, _ in found]

        if not self._database.read(ended):
            return []
        return self._database.write(work)

    def take(self, fanout: Fanout, most: int) -> Turn:
        """Take the next devices, up to `most`, and skip those whose breaker is open."""

        def work(connection: sa.Connection) -> Turn:
            connection.execute(_LOCK, key_of(fanout))
            now = self._clock()
            asked = {**key_of(fanout), "most": most}
            found = devices_of(connection, connection.execute(_PENDING, asked).mappings())
            names = [device.device for device in found]
            broken = open_breakers(connection, fanout.ref, names, now)
            skipped = [
                _rests(device, broken[device.device].open_until, now)
                for device in found
                if device.device in broken
            ]
            starting = [
                replace(device, state=DeviceState.RUNNING)
                for device in found
                if device.device not in broken
            ]
            for device in (*skipped, *starting):
                _change(connection, fanout, device)
            return Turn(starting, skipped)

        return self._database.write(work)

    def unstarted(self, fanout: Fanout) -> list[FanoutDevice]:
        """Devices that were taken, but whose child run is not known yet."""

        def work(connection: sa.Connection) -> list[FanoutDevice]:
            return devices_of(connection, connection.execute(_UNSTARTED, key_of(fanout)).mappings())

        return self._database.read(work)

    def attach(self, fanout: Fanout, device: FanoutDevice, run_id: str) -> None:
        """Record a device's child run."""
        given = {**key_of(fanout), "of_place": device.place, "child": run_id}
        self._database.write(lambda connection: connection.execute(_ATTACH, given))

    def change(self, fanout: Fanout, device: FanoutDevice) -> None:
        """Put a device into another state."""
        self._database.write(lambda connection: _change(connection, fanout, device))

    def finish(self, fanout: Fanout, stopped: StopReason | None) -> None:
        given = {**key_of(fanout), "at": self._clock(), "why": stopped}
        self._database.write(lambda connection: connection.execute(_FINISH, given))

    def pause(self, run: Run, *, paused: bool, audit: NewAuditEvent) -> int:
        """Pause or continue the run's fan-outs. Returns how many are going on."""

        def work(connection: sa.Connection) -> int:
            asked = {"of_run": run.seq, "now_paused": paused}
            changed = connection.execute(_PAUSE, asked).rowcount
            if changed:
                append_audit(connection, audit, self._clock())
            return changed

        return self._database.write(work)

    def of(self, run: Run) -> list[CountedFanout]:
        """The run's fan-outs, in order."""
        return self._database.read(
            lambda connection: [
                CountedFanout(one, counts_now(connection, one))
                for one in fanouts_of(connection, run)
            ]
        )

    def page(
        self,
        run: Run,
        *,
        states: Collection[DeviceState] = (),
        after: tuple[int, int] = (0, 0),
        limit: int = 50,
    ) -> FanoutPage:
        """The run's fan-outs, and their devices in order after fan-out and place `after`."""
        statement = _page(run, states, after).limit(limit + 1)

        def work(connection: sa.Connection) -> FanoutPage:
            rows = list(connection.execute(statement).mappings())
            devices = [shown(one) for one in devices_of(connection, rows[:limit])]
            more = len(rows) > limit
            cursor = f"{devices[-1].n}.{devices[-1].place}" if more else None
            counted = [
                CountedFanout(one, counts_now(connection, one))
                for one in fanouts_of(connection, run)
            ]
            return FanoutPage(counted, devices, cursor)

        return self._database.read(work)


def _page(
    run: Run, states: Collection[DeviceState], after: tuple[int, int]
) -> sa.Select[tuple[object, ...]]:
    n, place = fanout_devices.c.n, fanout_devices.c.place
    statement = DEVICES.where(
        fanout_devices.c.run_seq == run.seq,
        sa.or_(n > after[0], sa.and_(n == after[0], place > after[1])),
    ).order_by(n, place)
    if states:
        wanted = sorted(map(str, states))
        state = sa.case((IS_TAKEN, DeviceState.PENDING.value), else_=fanout_devices.c.state)
        statement = statement.where(state.in_(wanted))
    return statement


def _ordinal(known: Sequence[Fanout], new: Fanout) -> int:
    """Which of those it is that this script has started in this session."""
    mine = (new.place.step, new.place.session)
    return 1 + sum((one.place.step, one.place.session) == mine for one in known)


def _done_before(
    connection: sa.Connection, run: Run, known: Sequence[Fanout], new: Fanout
) -> Mapping[str, FanoutDevice]:
    """The devices that are done already, or that an earlier attempt of the step still works on."""
    seen, current, others = {run.id}, run, [one for one in known if one.place != new.place]
    while True:
        same = [one for one in others if _is_same(one, new)]
        if same:
            return _taken_over(connection, same[-1], running=current.id == run.id)
        earlier = _earlier(connection, current)
        if earlier is None or earlier.id in seen:
            return {}
        seen.add(earlier.id)
        current, others = earlier, fanouts_of(connection, earlier)


def _is_same(one: Fanout, new: Fanout) -> bool:
    def mark(each: Fanout) -> tuple[int, int, str, str]:
        return (each.place.step, each.place.ordinal, each.ref, each.input)

    return mark(one) == mark(new)


def _earlier(connection: sa.Connection, run: Run) -> Run | None:
    """The run that this one retries or resumes, unless it succeeded or was another kind of run."""
    if run.relation not in (Relation.RETRY, Relation.RESUME):
        return None
    found = runs_of(connection.execute(RUN_BY_ID, {"run_id": run.related_id}))
    for one in found:
        if not one.success and one.request.dry_run == run.request.dry_run:
            return one
    return None


def _taken_over(
    connection: sa.Connection, fanout: Fanout, *, running: bool
) -> dict[str, FanoutDevice]:
    states = {DeviceState.SUCCEEDED} | ({DeviceState.RUNNING} if running else set())
    rows = connection.execute(_DONE, key_of(fanout)).mappings()
    return {
        device.device: device
        for device in devices_of(connection, rows)
        if device.state in states and device.run_id is not None
    }


def _planned(n: int, place: int, name: str, done: Mapping[str, FanoutDevice]) -> FanoutDevice:
    if name in done:
        return replace(done[name], n=n, place=place, earlier=True)
    return FanoutDevice(n, place, name)


def _rests(device: FanoutDevice, until: Millis, now: Millis) -> FanoutDevice:
    text = f"Breaker open until {iso(until)}"
    problem = Problem("breaker_open", text, params={"until": iso(until)})
    return replace(
        device,
        state=DeviceState.SKIPPED,
        code=problem.code,
        message=problem.message,
        until=until,
        finished_at=now,
    )


def _change(connection: sa.Connection, fanout: Fanout, device: FanoutDevice) -> None:
    values = {f"to_{name}": getattr(device, name) for name in _CHANGED}
    place = {**key_of(fanout), "of_place": device.place}
    connection.execute(_CHANGE, {**place, **values, "to_state": device.state.value})
