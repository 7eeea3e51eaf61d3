"""What runbooks that list things print: choices for forms, and a table for people.

A runbook with `provides: choices` in its Policy prints its choices as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runbook.script import commands

MOST_ROWS = 500
"""Of the table, which is part of the run's summary."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something to choose."""

    value: str
    label: str = ""
    description: str = ""


def offer(offers: Iterable[Offer]) -> None:
    """Print the choices."""
    shown = [
        {"value": it.value, "label": it.label or it.value, "description": it.description}
        for it in offers
    ]
    print(json.dumps(shown, ensure_ascii=False, indent=1))


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Add a table to the run's summary."""
    lines = [_line(headers), _line(["---"] * len(headers)), *map(_line, rows[:MOST_ROWS])]
    if len(rows) > MOST_ROWS:
        lines += ["", f"{len(rows) - MOST_ROWS} more rows are not shown."]
    commands.summary("\n".join(lines) if rows else "Nothing found.")


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
