"""The values of a connection, as a script reads them.

from runbook.connectors import connection

pve = connection.read("PVE")    # PVE is an input with type: connection
pve.name, pve.kind, pve.values["host"]
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runbook.connectors.errors import ConnectorError, ErrorCode

FOLDER = "RUNBOOK_CONNECTIONS"


@dataclass(frozen=True, slots=True)
class ConnectionValues:
    """A connection. `values` includes its secrets; the engine masks them in all output.

    `device` has the fields of the device that it is for; None for an input of type connection.
    """

    name: str
    kind: str
    values: Mapping[str, object] = field(repr=False)
    device: Mapping[str, object] | None = field(default=None, repr=False)


def read(input_name: str) -> ConnectionValues:
    """The connection of an input with `type: connection` or `type: device`.

    `FLEET.edge-1` is a device of an input with `type: devices` and `connections: true`. Raises
    ConnectorError if the runbook doesn't declare it, or if an optional one isn't set.
    """
    folder = os.environ.get(FOLDER, "")
    try:
        text = (Path(folder) / f"{Path(input_name).name}.json").read_text(encoding="utf-8")
        found = json.loads(text) if folder else {}
        return ConnectionValues(found["name"], found["kind"], found["values"], found.get("device"))
    except (OSError, ValueError, KeyError, TypeError):
        message = (
            f"This run has no connection for {input_name}. Declare {input_name} with type: "
            "connection and a kind, or type: device, and set it to a name"
        )
        raise ConnectorError(message, ErrorCode.NOT_FOUND) from None
