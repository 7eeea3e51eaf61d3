"""Circuit breakers by runbook and device."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from runbook.core.fanout.breaker import CLOSED, Breaker, after
from runbook.core.status import RunStatus
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass
from runbook.store.device_tables import breakers
from runbook.store.dialects.portable import insert, one_of

_OF = sa.and_(
    breakers.c.ref == sa.bindparam("of_ref"), breakers.c.device == sa.bindparam("of_device")
)
_ONE = sa.select(breakers.c.failures, breakers.c.open_until).where(_OF).with_for_update()
_FORGET = sa.delete(breakers).where(_OF)
_INSERT = insert(breakers)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=["ref", "device"],
    set_={name: _INSERT.excluded[name] for name in ("failures", "open_until")},
)


@dataclass(frozen=True, slots=True)
class DeviceEnd:
    """How a runbook ended for a device."""

    ref: str
    device: str
    status: RunStatus
    at: Millis


def open_breakers(
    connection: sa.Connection, ref: str, devices: Iterable[str], now: Millis
) -> dict[str, Breaker]:
    """Those of the devices whose breaker is open now."""
    chosen = sa.select(breakers).where(breakers.c.ref == ref, one_of(breakers.c.device, devices))
    found = {
        row["device"]: Breaker(row["failures"], row["open_until"])
        for row in connection.execute(chosen).mappings()
    }
    return {device: breaker for device, breaker in found.items() if breaker.is_open(now)}


def count_end(connection: sa.Connection, end: DeviceEnd) -> None:
    """Count a success or a failure."""
    key = {"of_ref": end.ref, "of_device": end.device}
    row = connection.execute(_ONE, key).first()
    before = CLOSED if row is None else Breaker(*row)
    now = after(before, end.status, end.at)
    if now == before:
        return
    if now == CLOSED:
        connection.execute(_FORGET, key)
        return
    connection.execute(
        _PUT,
        {
            "ref": end.ref,
            "device": end.device,
            "failures": now.failures,
            "open_until": now.open_until,
        },
    )
