"""The JSON of toolkits."""

from __future__ import annotations

from runbook.core.access import Principal
from runbook.resources import runbook as runbooks
from runbook.resources.forms import optional_iso
from runbook.resources.runbook import ListedRunbookJson
from runbook.resources.toolkit import (
    CatalogueJson,
    MissingPartsJson,
    ToolkitDetailsJson,
    ToolkitJson,
    ToolkitListJson,
    UpdateJson,
    toolkit_json,
)
from runbook.toolkits.catalogue import Reading
from runbook.toolkits.shelf import Contained, Listed, Missing, Shown, Update
from runbook.toolkits.toolkits import Toolkits


def listed_json(listed: Listed) -> ToolkitJson:
    return toolkit_json(
        listed.manifest,
        listed.installed,
        listed.bundled,
        _missing_json(listed.missing),
        _update_json(listed.update),
        modified=listed.modified,
    )


def list_json(toolkits: Toolkits, principal: Principal) -> ToolkitListJson:
    found = [listed_json(it) for it in toolkits.list(principal)]
    return {"toolkits": found, "catalogue": _catalogue_json(toolkits.catalogue())}


def _catalogue_json(reading: Reading | None) -> CatalogueJson | None:
    if reading is None:
        return None
    return {"checked_at": optional_iso(reading.checked_at), "problem": reading.problem}


def shown_json(shown: Shown) -> ToolkitDetailsJson:
    is_enabled = shown.listed.is_enabled
    return {
        **listed_json(shown.listed),
        "readme": shown.readme,
        "runbooks": [_contained_json(it, is_enabled=is_enabled) for it in shown.runbooks],
    }


def _contained_json(it: Contained, *, is_enabled: bool) -> ListedRunbookJson:
    """As in the list of runbooks; nobody can execute a runbook of a disabled toolkit."""
    made = runbooks.listed_json(it.entry, it.decision, it.last_run)
    return made if is_enabled else {**made, "executable": False}


def _missing_json(missing: Missing) -> MissingPartsJson:
    return {
        "extras": list(missing.extras),
        "commands": list(missing.commands),
        "connections": list(missing.connections),
    }


def _update_json(update: Update | None) -> UpdateJson | None:
    return None if update is None else {"version": update.version, "origin": update.origin.value}
