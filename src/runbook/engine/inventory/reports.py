"""Updates devices with what the scripts of a run report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from runbook import log
from runbook.core.access import Principal
from runbook.core.audit import Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.document import Problem, warning
from runbook.core.inventory.device import MANAGED, Device, Field
from runbook.core.inventory.fields import Changes, check_fields, name_problem
from runbook.core.inventory.script import MAY_MOVE, read_reports
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.engine.authorization import may_with_connection
from runbook.engine.inventory.changes import Author, made, merged, refusals
from runbook.errors import RunbookError, StoreDamagedError
from runbook.quick_dataclass import dataclass
from runbook.store.inventory.devices import DeviceChanges
from runbook.store.store import Store

MOST_WARNINGS = 20
_NAMED = 50


@dataclass(frozen=True, slots=True)
class Reporter:
    """Whose run it is, and what it may do.

    `allowed` says whether the runbook's policy lets it update the inventory. `writes` says whether
    who requested it may also add devices, and change what they are for. `given` has the devices
    that the run is for, and whether each is one of the inventory: one that isn't there any more was
    removed meanwhile. The others only come from a connection of this process, and aren't added: in
    the inventory, they would be without it.
    """

    run: Run
    principal: Principal
    allowed: bool
    writes: bool
    given: Mapping[str, bool] = field(default_factory=dict)


class DeviceReports:
    """Takes the reports of one run. What can't be used becomes a warning, not a failure."""

    def __init__(
        self,
        store: Store,
        reporter: Reporter,
        may_keep: Callable[[str], bool],
        clock: Callable[[], int],
    ) -> None:
        self._store = store
        self._reporter = reporter
        self._may_keep = may_keep
        self._clock = clock
        self._warnings: list[Problem] = []

    @property
    def warnings(self) -> tuple[Problem, ...]:
        if len(self._warnings) <= MOST_WARNINGS:
            return tuple(self._warnings)
        more = len(self._warnings) - MOST_WARNINGS
        text = f"{more} more reports of devices could not be used"
        return (*self._warnings[:MOST_WARNINGS], warning("device_not_updated", text, more=more))

    def take(self, data: bytes) -> None:
        """Update the inventory with the report of a step. Raises StoreDamagedError."""
        if not data.strip() or self._reporter.run.request.dry_run:
            return
        if not self._reporter.allowed:
            text = "The script reports devices, but the Policy doesn't say inventory: update"
            self._warnings.append(warning("inventory_not_updated", text))
            return
        found = read_reports(data)
        if found.problem is not None:
            text = f"Part of the report of devices was ignored: {found.problem}"
            self._warnings.append(warning("inventory_not_updated", text))
        try:
            self._store.devices.change(
                found.fields, lambda known: self._merged(known, found.fields), durable=False
            )
        except StoreDamagedError:
            raise
        except RunbookError as error:
            log.failure("inventory.not_updated", run_id=self._reporter.run.id, error=error.message)
            text = f"The inventory was not updated: {error.message}"
            self._warnings.append(warning("inventory_not_updated", text))

    def _merged(
        self, known: Mapping[str, Device], said: Mapping[str, Mapping[str, object]]
    ) -> DeviceChanges:
        run, author = self._reporter.run, self._author()
        afters: list[Device] = []
        guarded: list[str] = []
        warnings: list[Problem] = []
        for name, fields in said.items():
            before = known.get(name)
            if before is None and self._reporter.given.get(name) is False:
                continue
            changes, problems = self._checked(name, before, fields, author)
            warnings += [_told(name, problem) for problem in problems]
            if changes is None:
                continue
            after = (
                made(name, changes, author) if before is None else merged(before, changes, author)
            )
            if before is None or after.revision != before.revision:
                guarded.append(name)
            afters.append(after)
        self._warnings += warnings
        return DeviceChanges(afters, self._event(guarded) if guarded else None, run.seq)

    def _checked(
        self, name: str, before: Device | None, fields: Mapping[str, object], author: Author
    ) -> tuple[Changes | None, list[Problem]]:
        """What may change; None if it is nothing."""
        if (wrong := self._wrong(name, before, fields)) is not None:
            return None, [wrong]
        said = {key: value for key, value in fields.items() if key != MAY_MOVE}
        checked = check_fields(name, said, author.at)
        changes, problems = dict(checked.changes), list(checked.problems)
        if before is not None and fields.get(MAY_MOVE) is False and _moves(before, changes):
            return None, [Problem("device_not_updated", "one of this name is somewhere else")]
        if not self._reporter.writes:
            if before is None:
                return None, [_needs_write("to be added")]
            kept = {key for key in MANAGED & changes.keys() if before.value(key) != changes[key]}
            problems += [_needs_write(f"to change {key}") for key in sorted(kept)]
            changes = {key: value for key, value in changes.items() if key not in MANAGED}
        refused = list(refusals(name, before, changes, author))
        if refused:
            return None, [*problems, *refused]
        return changes, problems

    def _wrong(
        self, name: str, before: Device | None, fields: Mapping[str, object]
    ) -> Problem | None:
        """Why none of the report can be used."""
        if (wrong := name_problem(name)) is not None:
            return wrong
        if before is None and name in self._reporter.given:
            return Problem("device_not_updated", "it was removed while the run went on")
        if not all(map(self._may_keep, _texts(fields))):
            return Problem("device_not_updated", "the report contains a secret")
        return None

    def _author(self) -> Author:
        principal, run = self._reporter.principal, self._reporter.run
        connections = self._store.connections.all()
        usable = {
            one.name
            for one in connections
            if may_with_connection(principal, Permission.CONNECTION_USE, one).allowed
        }
        known = {one.name for one in connections}
        return Author(run.requester.subject, self._clock(), usable, known, run.id)

    def _event(self, devices: list[str]) -> NewAuditEvent:
        run = self._reporter.run
        who = run.requester
        return NewAuditEvent(
            Actor(who.subject, who.origin, who.address),
            AuditAction.INVENTORY_REPORT,
            Target(TargetKind.RUN, run.id),
            {"runbook": run.ref, "count": len(devices), "devices": sorted(devices)[:_NAMED]},
        )


def _moves(before: Device, changes: Changes) -> bool:
    """Whether it would be reached somewhere else; without an address, where its connection says."""
    return (before.connection, before.address) != (
        changes.get(Field.CONNECTION),
        changes.get(Field.ADDRESS, ""),
    )


def _needs_write(what: str) -> Problem:
    text = f"it needs {Permission.INVENTORY_WRITE} {what}"
    return Problem("device_not_updated", text)


def _told(name: str, problem: Problem) -> Problem:
    text = f"The device {name[:80]} was not updated as reported: {problem.message}"
    return warning("device_not_updated", text, device=name[:80])


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []
