"""The inventory on behalf of a principal: list, show, put, remove, import, export."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from runbook import log
from runbook.core.access import Principal
from runbook.core.audit import AuditAction, NewAuditEvent, Target, TargetKind, actor_of
from runbook.core.document import Problem, texts_of
from runbook.core.inventory.device import (
    DESCRIBED,
    MANAGED,
    Device,
    DeviceCounts,
    DeviceFilter,
    Field,
)
from runbook.core.inventory.fields import Changes, check_fields, differing, name_problem
from runbook.core.inventory.views import (
    ChangedDevice,
    Imported,
    NewFields,
    SeenDevice,
    SeenPage,
    Wanted,
)
from runbook.core.permissions import Permission
from runbook.core.times import Millis
from runbook.engine.authorization import Authorizer, may_with_connection
from runbook.engine.connections.book import ConnectionBook
from runbook.engine.inventory.changes import Author, made, merged, refusals
from runbook.errors import ConflictError, InvalidDeviceError, NotFoundError
from runbook.quick_dataclass import dataclass
from runbook.store.inventory.devices import DeviceChanges
from runbook.store.store import Store

_READ, _WRITE = Permission.INVENTORY_READ, Permission.INVENTORY_WRITE
_EXPORTED_AT_ONCE = 500
NOTHING_IMPORTED = "Nothing was imported: some devices in the table are invalid"
MOST_PROBLEMS = 1000
"""How many mistakes of a table are named."""
_NAMED = 50
"""How many devices an audit event names."""


ALL = Wanted()


class Inventory:
    """`Engine.inventory`. Thread-safe. Methods raise AccessDeniedError, and audit that."""

    def __init__(
        self,
        store: Store,
        authorizer: Authorizer,
        connections: ConnectionBook,
        clock: Callable[[], Millis],
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._connections = connections
        self._clock = clock

    def list(
        self,
        principal: Principal,
        wanted: Wanted = ALL,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> SeenPage:
        """A page of devices, without facts. Raises RequestError for an invalid cursor."""
        self._authorizer.require(principal, _READ)
        view = self._view(principal)
        page = self._store.devices.page(
            self._filter(wanted, view), after=cursor, limit=limit, sort=wanted.sort
        )
        return SeenPage([view.of(device) for device in page.devices], page.next_cursor)

    def show(self, name: str, principal: Principal) -> SeenDevice:
        """Raises NotFoundError."""
        self._authorizer.require(principal, _READ)
        device = self._store.devices.get(name)
        if device is None:
            raise _no_such(name)
        return self._view(principal).of(device)

    def counts(self, principal: Principal) -> DeviceCounts:
        """What devices can be filtered by."""
        self._authorizer.require(principal, _READ)
        view = self._view(principal)
        found = self._store.devices.counts()
        seen = tuple(one for one in found.connections if one.value in view.visible)
        return dataclasses.replace(found, connections=seen)

    def export(self, principal: Principal, wanted: Wanted = ALL) -> Iterator[SeenDevice]:
        """All matching devices by name, with their facts. Asks for permission at once."""
        self._authorizer.require(principal, _READ)
        return self._exported(self._view(principal), wanted)

    def _exported(self, view: _View, wanted: Wanted) -> Iterator[SeenDevice]:
        cursor: str | None = ""
        while cursor is not None:
            page = self._store.devices.page(
                self._filter(wanted, view), after=cursor, limit=_EXPORTED_AT_ONCE
            )
            whole = self._store.devices.named(one.name for one in page.devices)
            yield from (view.of(whole[name]) for name in sorted(whole))
            cursor = page.next_cursor

    def put(
        self,
        new: NewFields,
        principal: Principal,
        *,
        revision: int | None = None,
        whole: bool = False,
        add: bool | None = None,
    ) -> SeenDevice:
        """Add a device, or change the fields given; with `whole`, the others are emptied.

        What runbooks find out stays: times and facts. With `add`, it must be new, with False it
        must exist. Raises InvalidDeviceError, NotFoundError, ConflictError if its revision is
        another one.
        """
        self._authorizer.require(principal, _WRITE)
        named = name_problem(new.name)
        given = {**dict.fromkeys(name.value for name in DESCRIBED), **new.fields}
        author = self._author(principal)
        checked = check_fields(new.name, given if whole else new.fields, author.at)
        _raise(([named] if named else []) + [*checked.problems])

        def merge(known: Mapping[str, Device]) -> DeviceChanges:
            before = known.get(new.name)
            _check_state(new.name, before, revision, add=add)
            _raise([*refusals(new.name, before, checked.changes, author)])
            after = _after(new.name, before, checked.changes, author)
            if after is before:
                return DeviceChanges()
            return DeviceChanges([after], _event(before, after, checked.changes, principal))

        changes = self._store.devices.change([new.name], merge)
        for device in changes.devices:
            log.event("device.changed", device=device.name, by=principal.subject)
        return self.show(new.name, principal)

    def remove(self, name: str, principal: Principal) -> None:
        """Raises NotFoundError, and InvalidDeviceError for those who may not use its connection.

        Its backups stay, and can be restored to a device that is added under this name.
        """
        self._authorizer.require(principal, _WRITE)
        device = self._store.devices.get(name)
        if device is not None:
            gone: Changes = {Field.CONNECTION: None}
            _raise([*refusals(name, device, gone, self._author(principal))])
        audit = NewAuditEvent(
            actor_of(principal), AuditAction.DEVICE_REMOVE, Target(TargetKind.DEVICE, name)
        )
        self._store.devices.remove(name, audit)
        log.event("device.removed", device=name, by=principal.subject)

    def import_(
        self, rows: Sequence[NewFields], principal: Principal, *, dry_run: bool = False
    ) -> Imported:
        """Add and change devices by name: all of them or, if anything is wrong, none.

        Only the fields given change. Raises InvalidDeviceError, whose problems name each place.
        """
        self._authorizer.require(principal, _WRITE)
        author, view = self._author(principal), self._view(principal)
        checked = [(row, check_fields(row.name, row.fields, author.at)) for row in rows]
        wrong = [
            _at(row, problem)
            for row, found in checked
            for problem in (*filter(None, [name_problem(row.name)]), *found.problems)
        ]
        wrong += _twice(rows)
        outcome: list[Imported] = []

        def merge(known: Mapping[str, Device]) -> DeviceChanges:
            outcome.clear()
            refused = [
                _at(row, problem)
                for row, found in checked
                for problem in refusals(row.name, known.get(row.name), found.changes, author)
            ]
            _raise(sorted([*wrong, *refused], key=lambda it: it.line or 0), NOTHING_IMPORTED)
            afters = []
            changed: list[ChangedDevice] = []
            for row, found in checked:
                before = known.get(row.name)
                after = _after(row.name, before, found.changes, author)
                if after is not before:
                    afters.append(after)
                    if before is not None:
                        changed.append(_changed(view, before, after, found.changes))
            added = [device.name for device in afters if device.name not in known]
            outcome.append(Imported(added, changed, len(rows) - len(afters), dry_run))
            if dry_run or not afters:
                return DeviceChanges()
            return DeviceChanges(afters, _imported(outcome[0], principal))

        names = {row.name: None for row in rows if name_problem(row.name) is None}
        self._store.devices.change([*names], merge)
        if not dry_run:
            log.event("inventory.imported", devices=len(rows), by=principal.subject)
        return outcome[0]

    def _filter(self, wanted: Wanted, view: _View) -> DeviceFilter:
        """Nobody finds out by filtering which devices have a connection that they can't see."""
        found = wanted.filter
        if found.connection is not None and found.connection not in view.visible:
            return dataclasses.replace(found, connections=frozenset())
        if not wanted.usable and wanted.kind is None:
            return found
        names = view.usable if wanted.usable else frozenset(view.visible)
        if wanted.kind is not None:
            names = frozenset(name for name in names if view.visible.get(name) == wanted.kind)
        return dataclasses.replace(found, connections=names, loose=wanted.kind is None)

    def _view(self, principal: Principal) -> _View:
        connections = self._store.connections.all()
        visible = {
            one.name: one.kind
            for one in connections
            if may_with_connection(principal, Permission.CONNECTION_READ, one).allowed
        }
        return _View(visible, self._connections.usable(principal))

    def _author(self, principal: Principal) -> Author:
        known = {one.name for one in self._store.connections.all()}
        usable = self._connections.usable(principal)
        return Author(principal.subject, self._clock(), usable, known)


@dataclass(frozen=True, slots=True)
class _View:
    """The connections that a principal sees, with their kinds, and those that it may use."""

    visible: Mapping[str, str]
    usable: frozenset[str]

    def of(self, device: Device) -> SeenDevice:
        name = device.connection
        usable = name is None or name in self.usable
        if name is None or name in self.visible:
            return SeenDevice(device, self.visible.get(name or ""), usable)
        return SeenDevice(dataclasses.replace(device, connection=None), None, usable=False)


def _changed(view: _View, before: Device, after: Device, changes: Changes) -> ChangedDevice:
    fields = sorted(differing(before, changes))
    return ChangedDevice(view.of(before).device, view.of(after).device, fields)


def _after(name: str, before: Device | None, changes: Changes, author: Author) -> Device:
    return made(name, changes, author) if before is None else merged(before, changes, author)


def _check_state(
    name: str, before: Device | None, revision: int | None, *, add: bool | None
) -> None:
    if before is None and (add is False or revision is not None):
        raise _no_such(name)
    if before is not None and add is True:
        raise ConflictError(f"There is a device named {name} already.")
    if before is not None and revision not in (None, before.revision):
        raise ConflictError(f"The device {name} has changed meanwhile: read it again.")


def _no_such(name: str) -> NotFoundError:
    return NotFoundError(f"There is no device named {name[:80]}.")


def _raise(problems: Sequence[Problem], text: str = "") -> None:
    if problems:
        said = text or "; ".join(texts_of(problems))
        raise InvalidDeviceError(said, problems=tuple(problems[:MOST_PROBLEMS]))


def _at(row: NewFields, problem: Problem) -> Problem:
    """The problem with its line and its column."""
    if not row.place:
        return problem
    column = row.place.get(str(problem.params.get("field", "name")), 1)
    params = {**problem.params, "column": column}
    return dataclasses.replace(problem, line=row.place["line"], params=params)


def _twice(rows: Sequence[NewFields]) -> list[Problem]:
    first: dict[str, NewFields] = {}
    found = []
    for row in rows:
        if row.name in first:
            text = f"{row.name[:80]} is there twice"
            problem = Problem("duplicate_device", text, params={"device": row.name[:80]})
            found.append(_at(row, problem))
        first.setdefault(row.name, row)
    return found


def _event(
    before: Device | None, after: Device, changes: Changes, principal: Principal
) -> NewAuditEvent:
    action = AuditAction.DEVICE_ADD if before is None else AuditAction.DEVICE_EDIT
    different = differing(before or Device(after.name), changes)
    details: dict[str, object] = {"fields": sorted(different)}
    shown = sorted(different & (MANAGED - {Field.TAGS, Field.GROUPS}))
    details["values"] = {name.value: after.value(name) for name in shown}
    return NewAuditEvent(actor_of(principal), action, _target(after.name), details)


def _target(name: str) -> Target:
    return Target(TargetKind.DEVICE, name)


def _imported(done: Imported, principal: Principal) -> NewAuditEvent:
    details: dict[str, object] = {
        "added": len(done.added),
        "changed": len(done.changed),
        "devices": sorted([*done.added, *(one.after.name for one in done.changed)])[:_NAMED],
    }
    target = Target(TargetKind.INVENTORY, "inventory")
    return NewAuditEvent(actor_of(principal), AuditAction.INVENTORY_IMPORT, target, details)
