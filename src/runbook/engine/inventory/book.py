"""Looks devices up for the inputs of runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from runbook.core.access import Principal, permitted
from runbook.core.connection import Opened
from runbook.core.document import Input, InputType, Problem
from runbook.core.inputs.devices import (
    device_inputs,
    devices_of,
    none_selected,
    not_allowed,
    not_found,
    too_many,
    unfitting,
    without_connection,
)
from runbook.core.inputs.live_choices import Choice
from runbook.core.inventory.device import Device, DeviceFilter
from runbook.core.inventory.selector import ALL, MOST_SELECTED, Term, TermKind, read_selector
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.engine.connections.book import ConnectionBook, InUse, UnusableConnectionError
from runbook.store.store import Store

MOST_OFFERED = 200
_PAGE = 1000
_NO_CONNECTION = Opened("", "", {})
_FILTERS: Mapping[TermKind, Callable[[str], DeviceFilter]] = {
    TermKind.TAG: lambda word: DeviceFilter(tag=word),
    TermKind.GROUP: lambda word: DeviceFilter(group=word),
    TermKind.SITE: lambda word: DeviceFilter(site=word),
    TermKind.ALL: lambda _: DeviceFilter(),
}


class DeviceBook:
    """Thread-safe. Who may use a device's connection, and see the inventory, may use a device."""

    def __init__(self, store: Store, connections: ConnectionBook) -> None:
        self._store = store
        self._connections = connections

    def find(self, item: Input, text: str, principal: Principal) -> tuple[str, list[Problem]]:
        """What a script gets for a valid value: the name, or the names as a JSON array.

        Names that can't be used are problems. Tags, sites, groups and `all` select those devices
        that can be used.
        """
        decision = permitted(principal, Permission.INVENTORY_READ)
        if not decision.allowed:
            return text, [not_allowed(item, text[:80], tuple(map(str, decision.missing)))]
        if item.type is InputType.DEVICES:
            return self._select(item, text, principal)
        device = self._get(item, text)
        problem = not_found(item, text) if device is None else self.problem(item, device, principal)
        return text, [problem] if problem else []

    def _get(self, item: Input, name: str) -> Device | None:
        """Of the inventory; or what a connection of this process only leads to, as in an image."""
        found = self._store.devices.get(name)
        if found is None and self._connections.is_loose(item, name):
            return Device(name, connection=name)
        return found

    def offered(self, item: Input, principal: Principal) -> tuple[Choice, ...]:
        """The first devices that the principal can use for this input, by name."""
        if not permitted(principal, Permission.INVENTORY_READ).allowed:
            return ()
        usable = self._connections.usable(principal, item.kind)
        found = islice(self._matching(item, (ALL,), usable), MOST_OFFERED)
        return tuple(Choice(one.name, one.name, _about(one)) for one in found)

    def problem(self, item: Input, device: Device, principal: Principal) -> Problem | None:
        """Why the principal can't use this device for this input."""
        if (rule := unfit(item, device)) is not None:
            return unfitting(item, device.name, rule)
        if device.connection is None:
            return without_connection(item, device.name) if item.kind else None
        found = self._connections.problem(item, device.connection, principal)
        if found is not None and found.code == "connection_not_allowed":
            hint = (found.hint or "").removeprefix("Missing or invalid: ")
            return not_allowed(item, device.name, (hint,))
        return found

    def _select(self, item: Input, text: str, principal: Principal) -> tuple[str, list[Problem]]:
        terms = read_selector(text) or ()
        usable = self._connections.usable(principal, item.kind)
        named = [term.value for term in terms if term.kind is TermKind.NAME]
        known: dict[str, Device | None] = {**self._store.devices.named(named)}
        known |= {name: self._get(item, name) for name in named if name not in known}
        problems = [
            problem
            for name in named
            if (problem := self._named_problem(item, name, known.get(name), principal, usable))
        ]
        if problems:
            return text, problems
        found = set(named)
        for device in self._matching(item, terms, usable):
            found.add(device.name)
            if len(found) > MOST_SELECTED:
                return text, [too_many(item)]
        if not found:
            return text, [none_selected(item, terms)]
        return json.dumps(sorted(found), separators=(",", ":")), []

    def _named_problem(
        self,
        item: Input,
        name: str,
        device: Device | None,
        principal: Principal,
        usable: frozenset[str],
    ) -> Problem | None:
        if device is None:
            return not_found(item, name)
        if _is_usable(item, device, usable):
            return None
        return self.problem(item, device, principal)

    def _matching(
        self, item: Input, terms: Sequence[Term], usable: frozenset[str]
    ) -> Iterator[Device]:
        for term in terms:
            make = _FILTERS.get(term.kind)
            if make is None:
                continue
            wanted = replace(make(term.value), connections=usable, loose=item.kind is None)
            cursor: str | None = ""
            while cursor is not None:
                page = self._store.devices.page(wanted, after=cursor, limit=_PAGE)
                yield from (one for one in page.devices if _is_usable(item, one, usable))
                cursor = page.next_cursor

    def secrets(self, inputs: Sequence[Input], values: Mapping[str, str]) -> Sequence[str]:
        """The secrets of the devices' connections, to keep them out of what is recorded."""
        found: list[str] = []
        for item, name, _ in _given(inputs, values):
            device = self._get(item, name)
            if device is not None and device.connection is not None:
                found += self._connections.secrets_of(item, device.connection)
        return found

    def of_run(
        self, run: Run, inputs: Sequence[Input], values: Mapping[str, str]
    ) -> tuple[InUse, ...]:
        """The devices that a run gets, as they are now, with their connections, checked again.

        Raises UnusableConnectionError, and StoreUnavailableError if one can't be decrypted.
        """
        return tuple(
            self._in_use(item, name, key, run) for item, name, key in _given(inputs, values)
        )

    def given(self, inputs: Sequence[Input], values: Mapping[str, str]) -> Mapping[str, bool]:
        """The devices that a run is for: whether each is one of the inventory, or was."""
        return {
            name: not self._connections.is_loose(item, name)
            for item in device_inputs(inputs)
            for name in devices_of((item,), values).get(item.name, ())
        }

    def _in_use(self, item: Input, name: str, key: str, run: Run) -> InUse:
        device = self._get(item, name)
        if device is None:
            raise UnusableConnectionError(not_found(item, name))
        if device.connection is None and item.kind:
            raise UnusableConnectionError(without_connection(item, name))
        opened = _NO_CONNECTION
        if device.connection is not None:
            opened = self._connections.opened_for(item, device.connection, run)
        return InUse(key, at_address(opened, device.address), device)


def _given(inputs: Sequence[Input], values: Mapping[str, str]) -> Iterator[tuple[Input, str, str]]:
    """The devices that a script gets with their connections, and how it reads each."""
    for item in device_inputs(inputs):
        names = devices_of((item,), values).get(item.name, ())
        if item.type is InputType.DEVICE:
            yield from ((item, name, item.name) for name in names)
        elif item.connections:
            yield from ((item, name, f"{item.name}.{name}") for name in names)


def at_address(opened: Opened, address: str) -> Opened:
    """The connection to a device: at the device's own address, if it has one."""
    from runbook.connectors.kinds import KINDS

    kind = KINDS.get(opened.kind)
    has_host = kind is None or any(item.name == "host" for item in kind.fields)
    if not address or not has_host:
        return opened
    return replace(opened, values={**opened.values, "host": address})


def _about(device: Device) -> str | None:
    texts = (device.vendor, device.model, device.address, device.site)
    return ", ".join(text for text in texts if text) or None


def unfit(item: Input, device: Device) -> str | None:
    """Why the device is not one that the input asks for, as the rest of a sentence."""
    if item.vendor and item.vendor.casefold() != device.vendor.casefold():
        return f"is not one of {item.vendor}"
    if item.tag and item.tag not in device.tags:
        return f"doesn't have the tag {item.tag}"
    return None


def _is_usable(item: Input, device: Device, usable: frozenset[str]) -> bool:
    if unfit(item, device) is not None:
        return False
    return item.kind is None if device.connection is None else device.connection in usable
