"""Imports tables of devices."""

from __future__ import annotations

from runbook.core.access import Principal
from runbook.core.inventory.table import read_table
from runbook.core.inventory.views import Imported, NewFields
from runbook.engine.inventory.inventory import MOST_PROBLEMS, NOTHING_IMPORTED, Inventory
from runbook.errors import InvalidDeviceError


def import_table(
    inventory: Inventory, text: str, principal: Principal, *, dry_run: bool = False
) -> Imported:
    """Import CSV; see Inventory.import_. Raises InvalidDeviceError, also for a bad table."""
    rows, problems = read_table(text)
    if problems:
        raise InvalidDeviceError(NOTHING_IMPORTED, problems=tuple(problems[:MOST_PROBLEMS]))
    given = [NewFields(row.name, row.fields, {**row.columns, "line": row.line}) for row in rows]
    return inventory.import_(given, principal, dry_run=dry_run)
