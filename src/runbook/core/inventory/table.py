"""Devices as CSV, with a heading: `name` and any of the other fields, except facts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from runbook.core.document import Problem
from runbook.core.inventory.device import Device, Field
from runbook.core.inventory.script import field_json
from runbook.core.syntax.unknown_keys import did_you_mean
from runbook.quick_dataclass import dataclass

NAME = "name"
COLUMNS = (NAME, *(each.value for each in Field if each is not Field.FACTS))
MOST_ROWS = 50_000
_FORMULA = ("=", "+", "-", "@", "\t")
"""What spreadsheets would compute at the start of a cell."""


@dataclass(frozen=True, slots=True)
class Row:
    """One device. `line` is where it begins, `columns` gives the number of each field's."""

    line: int
    name: str
    fields: Mapping[str, str]
    columns: Mapping[str, int] = field(default_factory=dict)


def read_table(text: str) -> tuple[list[Row], list[Problem]]:
    """All rows, and everything that is wrong with the table itself.

    Empty rows don't count. Cells are separated by commas, or by semicolons as in the heading.
    """
    text = text.removeprefix("\ufeff")
    heading = text.partition("\n")[0]
    separator = ";" if heading.count(";") > heading.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        columns, problems = _heading(next(reader, []))
        if problems:
            return [], problems
        end = reader.line_num
        for cells in reader:
            line, end = end + 1, reader.line_num
            if not any(map(str.strip, cells)):
                continue
            if len(cells) != len(columns):
                problems.append(_wrong_length(line, len(cells), len(columns)))
            elif len(rows) >= MOST_ROWS:
                return [], [_bad(f"The table has more than {MOST_ROWS} devices", line, 1)]
            else:
                rows.append(_row(line, cells, columns))
    except csv.Error as error:
        return [], [_bad(f"The table can't be read: {error}", reader.line_num, 1)]
    return rows, problems


def write_table(devices: Iterable[Device]) -> Iterator[str]:
    """The lines of a table that `read_table` reads."""
    yield _line(COLUMNS)
    for device in devices:
        yield _line([device.name, *(_cell(device, name) for name in COLUMNS[1:])])


def _heading(cells: list[str]) -> tuple[dict[str, int], list[Problem]]:
    """The number of each column, by name."""
    columns: dict[str, int] = {}
    problems = []
    for number, cell in enumerate(cells, start=1):
        name = cell.strip().lower()
        if name not in COLUMNS:
            text = f"There is no column {cell[:80]!r}"
            problems.append(_bad(text, 1, number, did_you_mean(name, COLUMNS)))
        elif name in columns:
            problems.append(_bad(f"The column {name} is there twice", 1, number))
        columns.setdefault(name, number)
    if NAME not in columns and not problems:
        hint = f"Begin with a line such as: {','.join(COLUMNS[:4])}"
        problems.append(_bad("The table has no column 'name'", 1, 1, hint))
    return columns, problems


def _row(line: int, cells: list[str], columns: Mapping[str, int]) -> Row:
    values = {name: _plain(cells[number - 1].strip()) for name, number in columns.items()}
    name = values.pop(NAME)
    return Row(line, name, values, columns)


def _plain(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA else cell


def _cell(device: Device, name: str) -> str:
    value = field_json(device, Field(name))
    text = ",".join(value) if isinstance(value, list) else str(value or "")
    return f"'{text}" if text.startswith(_FORMULA) else text


def _line(cells: Iterable[str]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()


def _wrong_length(line: int, has: int, wanted: int) -> Problem:
    return _bad(f"The row has {has} cells, but there are {wanted} columns", line, min(has, wanted))


def _bad(text: str, line: int, column: int, hint: str | None = None) -> Problem:
    return Problem("bad_device_table", text, line, hint=hint, params={"column": column})
