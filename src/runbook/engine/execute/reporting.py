"""What the scripts of a run report of devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from runbook.core.document import Problem, Runbook
from runbook.core.permissions import ALL_GRANTS, Permission
from runbook.core.run import Run
from runbook.engine.parts import Parts

if TYPE_CHECKING:
    from runbook.engine.inventory.reports import DeviceReports


class Reporting:
    """Takes the reports of one run, as most have none. May do what its requester's roles may."""

    def __init__(
        self,
        parts: Parts,
        run: Run,
        runbook: Runbook,
        values: Mapping[str, str],
        may_keep: Callable[[str], bool],
    ) -> None:
        self._parts = parts
        self._run = run
        self._runbook = runbook
        self._values = values
        self._may_keep = may_keep
        self._taken = False

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return self._reports.warnings if self._taken else ()

    def take(self, data: bytes) -> None:
        """See DeviceReports.take."""
        if data:
            self._taken = True
            self._reports.take(data)

    @cached_property
    def _reports(self) -> DeviceReports:
        # Imported late, as few runs report devices.
        from runbook.engine.inventory.reports import DeviceReports, Reporter

        parts, run = self._parts, self._run
        who = parts.connections.requester_of(run)
        grants = ALL_GRANTS if who.local else parts.options.role_grants(run.requester.roles)
        principal = dataclasses.replace(who, grants=grants)
        writes = grants.allow(Permission.INVENTORY_WRITE)
        reporter = Reporter(
            run,
            principal,
            allowed=self._runbook.policy.updates_inventory,
            writes=writes,
            given=parts.devices.given(self._runbook.inputs, self._values),
        )
        return DeviceReports(parts.store, reporter, self._may_keep, parts.clock)
