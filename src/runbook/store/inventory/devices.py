"""Devices. Changes by people are recorded in the audit trail, in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from runbook.core.audit import NewAuditEvent
from runbook.core.inventory.device import (
    ALL_DEVICES,
    Counted,
    Device,
    DeviceCounts,
    DeviceFilter,
    DevicePage,
    DeviceSort,
)
from runbook.core.run import Run
from runbook.core.storable import storable
from runbook.errors import NotFoundError, RequestError
from runbook.quick_dataclass import dataclass
from runbook.store.audit import append_audit
from runbook.store.conditions import SEQ_BY_ID
from runbook.store.device_tables import device_words, devices, fanouts, run_devices
from runbook.store.dialects.portable import (
    Turn,
    exclusively,
    insert,
    one_of,
    planned_anew,
    unindexed,
)
from runbook.store.rows import Component

MAX_PAGE = 5001
MOST_COUNTED = 200
TAG, GROUP = "tag", "group"
_CHUNK = 500

_NAME = devices.c.name
# Facts may be long: lists leave them out.
_LISTED = [column for column in devices.c if column.name != "facts"]
_OF_NAME = sa.bindparam("of_name", type_=devices.c.name.type)
_ONE = sa.select(devices).where(_OF_NAME == _NAME)
_INSERT = insert(devices)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=["name"],
    set_={
        column.name: _INSERT.excluded[column.name]
        for column in devices.c
        if column.name not in ("name", "created_at")
    },
)
_REMOVE = sa.delete(devices).where(_OF_NAME == _NAME)
_FORGET_WORDS = sa.delete(device_words).where(device_words.c.device == _OF_NAME)
_ADD_WORDS = insert(device_words).on_conflict_do_nothing()
_ADD_RUN = insert(run_devices).on_conflict_do_nothing()
_OF_RUN = (
    sa.select(run_devices.c.device)
    .where(run_devices.c.run_seq == SEQ_BY_ID)
    .order_by(run_devices.c.device)
)

_FANOUTS = (
    sa.select(sa.func.count())
    .select_from(fanouts)
    .where(fanouts.c.run_seq == sa.bindparam("of_run"))
)


def _counted(column: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """The most frequent values of a column, from an index that begins with it."""
    number = sa.func.count().label("number")
    given = sa.and_(column.is_not(None), column != "")
    return sa.select(column, number).where(given).group_by(column).order_by(number.desc(), column)


_COUNTS = {
    name: _counted(devices.c[name]).limit(MOST_COUNTED) for name in ("site", "vendor", "connection")
}
_COUNT_WORDS = (
    _counted(device_words.c.word)
    .where(device_words.c.kind == sa.bindparam("of_kind"))
    .limit(MOST_COUNTED)
)
_COUNT = sa.select(sa.func.count()).select_from(devices)


@dataclass(frozen=True, slots=True)
class DeviceChanges:
    """Devices to add or replace, whole, and the audit event for it, if it needs one.

    `run_seq` is the run that reported them, if it was a run.
    """

    devices: Sequence[Device] = ()
    audit: NewAuditEvent | None = None
    run_seq: int | None = None


Merge = Callable[[Mapping[str, Device]], DeviceChanges]


class Devices(Component):
    def page(
        self,
        wanted: DeviceFilter = ALL_DEVICES,
        *,
        after: str | None = None,
        limit: int = 50,
        sort: DeviceSort = DeviceSort.NAME,
    ) -> DevicePage:
        """The matching devices, without facts; `after` is a page's `next_cursor`.

        Raises RequestError for a cursor of another order.
        """
        size = max(1, min(limit, MAX_PAGE))
        statement = _page(wanted, after or "", sort).limit(size + 1)

        def work(connection: sa.Connection) -> list[Device]:
            with planned_anew(connection):
                return _whole_ones(connection.execute(statement).mappings())

        found = self._database.read(work)
        cursor = _cursor(found[size - 1], sort) if len(found) > size else None
        return DevicePage(tuple(found[:size]), cursor)

    def get(self, name: str) -> Device | None:
        def work(connection: sa.Connection) -> Device | None:
            row = connection.execute(_ONE, {"of_name": name}).mappings().first()
            return None if row is None else _device_of(row)

        return self._database.read(work)

    def named(self, names: Iterable[str]) -> dict[str, Device]:
        """Those of the names that exist."""
        return self._database.read(lambda connection: _named(connection, sorted(set(names))))

    def counts(self) -> DeviceCounts:
        def work(connection: sa.Connection) -> DeviceCounts:
            def of(statement: sa.Select[Any], **given: str) -> tuple[Counted, ...]:
                return tuple(
                    Counted(str(value), int(number))
                    for value, number in connection.execute(statement, given)
                )

            return DeviceCounts(
                connection.scalar(_COUNT) or 0,
                of(_COUNT_WORDS, of_kind=TAG),
                of(_COUNT_WORDS, of_kind=GROUP),
                of(_COUNTS["site"]),
                of(_COUNTS["vendor"]),
                of(_COUNTS["connection"]),
            )

        return self._database.read(work)

    def change(self, names: Iterable[str], merge: Merge, *, durable: bool = True) -> DeviceChanges:
        """Let `merge` say what these devices, as they are now, become. It may raise.

        All or nothing, and no other change comes between.
        """
        wanted = sorted(set(names))

        def work(connection: sa.Connection) -> DeviceChanges:
            exclusively(connection, Turn.INVENTORY)
            changes = merge(_named(connection, wanted))
            _write(connection, changes.devices)
            if changes.run_seq is not None:
                reported = {"": tuple(device.name for device in changes.devices)}
                keep_run_devices(connection, changes.run_seq, reported)
            if changes.audit is not None:
                append_audit(connection, changes.audit, self._clock())
            return changes

        return self._database.write(work, durable=durable)

    def remove(self, name: str, audit: NewAuditEvent) -> None:
        """Which runs were for it stays recorded. Raises NotFoundError."""

        def work(connection: sa.Connection) -> None:
            exclusively(connection, Turn.INVENTORY)
            if not connection.execute(_REMOVE, {"of_name": name}).rowcount:
                raise NotFoundError(f"There is no device named {name[:80]}.")
            connection.execute(_FORGET_WORDS, {"of_name": name})
            append_audit(connection, audit, self._clock())

        self._database.write(work, durable=True)

    def of_run(self, run_id: str, limit: int = 200) -> tuple[str, ...]:
        """The first devices that a run was for, by name."""
        return self._database.read(
            lambda connection: tuple(
                connection.scalars(
                    _OF_RUN.limit(sa.bindparam("most")), {"run_id": run_id, "most": limit}
                )
            )
        )

    def fanouts_of(self, run: Run) -> int:
        """How many fan-outs the run has."""
        return self._database.read(
            lambda connection: connection.scalar(_FANOUTS, {"of_run": run.seq}) or 0
        )


def keep_run_devices(
    connection: sa.Connection, run_seq: int, used: Mapping[str, Sequence[str]]
) -> None:
    """Record which devices a run is for, by input; those that it reported have no input."""
    rows = {
        name: {"run_seq": run_seq, "input": item, "device": name}
        for item, names in used.items()
        for name in names
    }
    if rows:
        connection.execute(_ADD_RUN, list(rows.values()))


def _cursor(last: Device, sort: DeviceSort) -> str:
    return last.name if sort is DeviceSort.NAME else f"{_age_of(last, sort)}:{last.name}"


_NEVER, _DAMAGED = -1, -2


def _age_of(one: Device, sort: DeviceSort) -> int:
    """What `_age` computes."""
    if sort.removeprefix("-") == DeviceSort.PROOF and one.last_damage is not None:
        return _DAMAGED
    at: int | None = getattr(one, sort.removeprefix("-"))
    return _NEVER if at is None else at


def _age(sort: DeviceSort) -> sa.ColumnElement[int]:
    """What to sort by, where there is something to do first: damaged, then never, then long ago."""
    at = sa.func.coalesce(devices.c[sort.removeprefix("-")], _NEVER)
    if sort.removeprefix("-") != DeviceSort.PROOF:
        return at
    return sa.case((devices.c.last_damage.is_not(None), _DAMAGED), else_=at)


def _by_age(statement: sa.Select[Any], after: str, sort: DeviceSort) -> sa.Select[Any]:
    age, is_latest = _age(sort), sort.startswith("-")
    if after:
        at, _, name = after.partition(":")
        if not re.fullmatch(r"-?[0-9]{1,15}", at):
            raise RequestError("Invalid cursor: use next_cursor of an earlier page.")
        beyond = age < int(at) if is_latest else age > int(at)
        statement = statement.where(sa.or_(beyond, sa.and_(age == int(at), name < _NAME)))
    return statement.order_by(age.desc() if is_latest else age, _NAME)


def _page(wanted: DeviceFilter, after: str, sort: DeviceSort) -> sa.Select[Any]:
    """By the index of a tag or group first, as these are the most telling."""
    words = [(kind, word) for kind, word in ((TAG, wanted.tag), (GROUP, wanted.group)) if word]
    name: sa.ColumnElement[str] = _NAME
    statement = sa.select(*_LISTED)
    if words:
        (kind, word), *others = words
        name = device_words.c.device
        statement = statement.join(device_words, name == _NAME)
        statement = statement.where(device_words.c.kind == kind, device_words.c.word == word)
        statement = statement.where(*(_has(*other) for other in others))
    statement = statement.where(*_conditions(wanted))
    if sort is not DeviceSort.NAME:
        return _by_age(statement, after, sort)
    return statement.where(name > after).order_by(name)


def _has(kind: str, word: str) -> sa.ColumnElement[bool]:
    other = device_words.alias()
    found = sa.select(other.c.device).where(
        other.c.kind == kind, other.c.word == word, other.c.device == _NAME
    )
    return sa.exists(found)


def _conditions(wanted: DeviceFilter) -> Iterable[sa.ColumnElement[bool]]:
    for name in ("site", "vendor", "connection"):
        if value := getattr(wanted, name):
            yield devices.c[name] == value
    if wanted.text:
        text = wanted.text.lower()
        yield sa.or_(
            *(
                unindexed(column).contains(text, autoescape=True)
                for column in (_NAME, devices.c.address)
            )
        )
    if wanted.connections is not None:
        column = unindexed(devices.c.connection)
        usable: sa.ColumnElement[bool] = one_of(column, wanted.connections)
        yield sa.or_(usable, column.is_(None)) if wanted.loose else usable


def _named(connection: sa.Connection, names: Sequence[str]) -> dict[str, Device]:
    found: dict[str, Device] = {}
    for start in range(0, len(names), _CHUNK):
        chosen = sa.select(devices).where(one_of(_NAME, names[start : start + _CHUNK]))
        found |= {one.name: one for one in _whole_ones(connection.execute(chosen).mappings())}
    return found


def _write(connection: sa.Connection, changed: Sequence[Device]) -> None:
    if not changed:
        return
    connection.execute(_PUT, [_row_of(device) for device in changed])
    connection.execute(_FORGET_WORDS, [{"of_name": device.name} for device in changed])
    words = [
        {"kind": kind, "word": word, "device": device.name}
        for device in changed
        for kind, listed in ((TAG, device.tags), (GROUP, device.groups))
        for word in listed
    ]
    if words:
        connection.execute(_ADD_WORDS, words)


def _row_of(one: Device) -> dict[str, Any]:
    return {
        "name": one.name,
        "connection": one.connection,
        "address": one.address,
        "vendor": one.vendor,
        "model": one.model,
        "version": one.version,
        "site": one.site,
        "role": one.role,
        "tags": list(one.tags),
        "groups": list(one.groups),
        "last_seen": one.last_seen,
        "last_backup": one.last_backup,
        "last_poll": one.last_poll,
        "last_proof": one.last_proof,
        "last_damage": one.last_damage,
        "facts": dict(one.facts),
        "revision": one.revision,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "updated_by": storable(one.updated_by),
        "updated_run": one.updated_run,
    }


def _device_of(row: sa.RowMapping) -> Device:
    """Raises ValueError and the like for a damaged row: nobody may use it then."""
    return Device(
        **dict(row)
        | {
            "tags": tuple(map(str, row["tags"])),
            "groups": tuple(map(str, row["groups"])),
            "facts": dict(row.get("facts") or {}),
        }
    )


def _whole_ones(rows: Iterable[sa.RowMapping]) -> list[Device]:
    found = []
    for row in rows:
        try:
            found.append(_device_of(row))
        except (LookupError, TypeError, ValueError, AttributeError):
            continue
    return found
