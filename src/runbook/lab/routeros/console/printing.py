"""How `print` and `export` write rows."""

from __future__ import annotations

import re

from runbook.lab.routeros.menu import Menu, Shape
from runbook.lab.routeros.state import Row
from runbook.lab.routeros.versions import Release

FLAGS = {"disabled": "X", "invalid": "I", "dynamic": "D", "running": "R", "default": "*"}
HIDDEN = frozenset({".id", "comment", *FLAGS})
LONG = frozenset({"contents", "on-event", "source", "policy"})
"""Not in tables."""
PLAIN = re.compile(r"[A-Za-z0-9_.,:/*+!@%<>-]*")
_SPECIAL = {'"': '\\"', "\\": "\\\\", "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quote(value: str) -> str:
    """As an export writes a value."""
    if value and PLAIN.fullmatch(value):
        return value
    return f'"{"".join(_escaped(char) for char in value)}"'


def _escaped(char: str) -> str:
    if char in _SPECIAL:
        return _SPECIAL[char]
    if " " <= char <= "~":
        return char
    return "".join(f"\\{byte:02X}" for byte in char.encode())


def render(
    menu: Menu, rows: list[Row], release: Release, options: set[str], names: str
) -> list[str]:
    if menu.shape in {Shape.SETTINGS, Shape.FACT}:
        return _settings(rows[0])
    if names:
        wanted = names.split(",")
        rows = [{k: v for k, v in row.items() if k in {*wanted, ".id"}} for row in rows]
    if "terse" in options:
        return [_line(n, menu, row, "terse") for n, row in enumerate(rows)]
    flags = [name for name in FLAGS if name in menu.properties]
    shown = [_legend(flags, release)] if flags else []
    if "detail" in options:
        return [*shown, *(_line(n, menu, row, "detail") for n, row in enumerate(rows))]
    return [*shown, *_table(menu, rows, release)]


def _legend(flags: list[str], release: Release) -> str:
    if release.is_6:
        return "Flags: " + ", ".join(f"{FLAGS[name]} - {name}" for name in flags) + " "
    return "Flags: " + "; ".join(f"{FLAGS[name]} - {name.upper()}" for name in flags)


def _settings(row: Row) -> list[str]:
    width = max((len(name) for name in row), default=0)
    return [f"  {name:>{width}}: {value}" for name, value in row.items() if name != ".id"]


def _line(number: int, menu: Menu, row: Row, _: str) -> str:
    values = " ".join(
        f"{name}={quote(value)}"
        for name, value in row.items()
        if name not in HIDDEN and not menu.properties[name].secret
    )
    comment = f" comment={quote(row['comment'])}" if row.get("comment") else ""
    return f"{number:>2} {_flags(menu, row):<3}{comment} {values}"


def _flags(menu: Menu, row: Row) -> str:
    return "".join(
        letter
        for name, letter in FLAGS.items()
        if name in menu.properties and row.get(name) == "yes"
    )


def _table(menu: Menu, rows: list[Row], release: Release) -> list[str]:
    names = [name for name in menu.properties if any(name in row for row in rows)]
    hidden = HIDDEN | LONG | {name for name in names if menu.properties[name].secret}
    names = [name for name in names if name not in hidden][:8]
    if not rows:
        return []
    widths = {name: max(len(name), *(len(row.get(name, "")) for row in rows)) for name in names}
    shown = [] if release.is_6 else [f"Columns: {', '.join(name.upper() for name in names)}"]
    head = "  ".join(f"{name.upper():<{widths[name]}}" for name in names)
    shown.append(f" #     {head}".rstrip())
    for number, row in enumerate(rows):
        if row.get("comment"):
            shown.append(f";;; {row['comment']}")
        cells = "  ".join(f"{row.get(name, ''):<{widths[name]}}" for name in names)
        shown.append(f"{number:>2} {_flags(menu, row):<3} {cells}".rstrip())
    return shown
