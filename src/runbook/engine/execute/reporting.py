"""What a run may do to the inventory."""

from __future__ import annotations

import dataclasses

from runbook.core.document import Policy
from runbook.core.permissions import ALL_GRANTS, Permission
from runbook.core.run import Run
from runbook.engine.inventory.reports import Reporter
from runbook.engine.parts import Parts


def reporter_of(parts: Parts, run: Run, policy: Policy) -> Reporter:
    """By the roles of who requested the run, as they are in its claims."""
    who = parts.connections.requester_of(run)
    grants = ALL_GRANTS if who.local else parts.options.role_grants(run.requester.roles)
    principal = dataclasses.replace(who, grants=grants)
    writes = grants.allow(Permission.INVENTORY_WRITE)
    return Reporter(run, principal, policy.updates_inventory, writes)
