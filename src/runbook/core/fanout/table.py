"""The devices of fan-outs as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from runbook.core.fanout.views import FanoutDevice
from runbook.core.times import iso

COLUMNS = (
    "fanout",
    "device",
    "state",
    "phase",
    "message",
    "code",
    "started_at",
    "finished_at",
    "duration_ms",
    "run_id",
)
_FORMULA = ("=", "+", "-", "@", "\t")
"""What spreadsheets would compute at the start of a cell."""


def write_table(devices: Iterable[FanoutDevice]) -> Iterator[str]:
    """The lines of the table, with a heading."""
    yield _line(COLUMNS)
    for device in devices:
        yield _line([_cell(device, column) for column in COLUMNS])


def _cell(device: FanoutDevice, column: str) -> str:
    value = device.n if column == "fanout" else getattr(device, column)
    if value is None:
        return ""
    if column in ("started_at", "finished_at"):
        return iso(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Sequence[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)
    return written.getvalue()
