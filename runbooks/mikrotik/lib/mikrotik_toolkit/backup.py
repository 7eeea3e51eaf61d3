"""Backup: one commit for each real change."""

from __future__ import annotations

import runbook
from mikrotik_toolkit import saving
from runbook.connectors import backups, routeros
from runbook.connectors.backups import Origin

STEP = "Back up"


def back_up() -> None:
    device, store = saving.device_name("ROUTER"), backups.open_store()
    with routeros.connect("ROUTER") as router:
        seen = saving.look(router, store)
        saved = saving.save(router, seen, Origin.SEEN, device=device, step=STEP, store=store)
    if saved.is_new:
        print(f"{device} has changed: version {saved.commit[:12]}")
    else:
        print(f"{device} is unchanged since version {saved.commit[:12]}")
    runbook.output("version", saved.commit)
    runbook.output("changed", saved.is_new)
