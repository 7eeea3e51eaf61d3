"""The JSON of listed toolkits."""

from __future__ import annotations

from runbook.resources.toolkit import ToolkitJson, toolkit_json
from runbook.toolkits.toolkits import Listed


def listed_json(listed: Listed) -> ToolkitJson:
    missing = listed.missing
    return toolkit_json(
        listed.manifest,
        listed.installed,
        listed.bundled,
        {"extras": list(missing.extras), "commands": list(missing.commands)},
        modified=listed.modified,
    )
