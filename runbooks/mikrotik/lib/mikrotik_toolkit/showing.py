"""Tables of a run's summary, and files of the run."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

import runbook

MOST_ROWS = 500
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Rows = Sequence[Sequence[object]]


def table(headers: Sequence[str], rows: Rows, *, title: str = "", nothing: str = "Nothing") -> None:
    """Add a table to the summary. An empty line ends it: the next text is not a row."""
    runbook.summary(as_markdown(headers, rows, title=title, nothing=nothing) + "\n")


def as_markdown(
    headers: Sequence[str], rows: Rows, *, title: str = "", nothing: str = "Nothing"
) -> str:
    lines = [f"## {title}", ""] if title else []
    lines += [_line(headers), _line(["---"] * len(headers))] if rows else [f"{nothing} found."]
    lines += map(_line, rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        lines += ["", f"{len(rows) - MOST_ROWS} more rows are not shown."]
    return "\n".join([*lines, ""])


def as_csv(headers: Sequence[str], rows: Rows) -> str:
    """With an apostrophe before what a spreadsheet would take for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows([_safe(str(cell)) for cell in row] for row in rows)
    return text.getvalue()


def keep(name: str, content: str) -> None:
    """Keep a text as a file of the run."""
    (Path(os.environ["RUNBOOK_ARTIFACTS"]) / name).write_text(content, "utf-8")


def size(number: float) -> str:
    """Bytes as people write them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
