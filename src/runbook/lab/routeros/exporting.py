"""`/export`: the configuration as commands that make it again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from runbook.lab.routeros import facts
from runbook.lab.routeros.clock import write_date, write_moment
from runbook.lab.routeros.console.printing import quote
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.menu import Menu, Property, Shape
from runbook.lab.routeros.state import Row
from runbook.lab.routeros.values import Kind

WIDTH = 78
INDENT = "    "
_PIECE = re.compile(r"\\[0-9A-F]{2}|\\.|.", re.DOTALL)


def export(router: Device, path: str, options: Mapping[str, str]) -> str:
    """Lines end with CRLF, as the router writes them."""
    lines = _header(router)
    terse = "terse" in options
    for menu in router.menus.values():
        if not menu.exported or not _below(menu.path, path):
            continue
        words = "/" + menu.path.replace("/", " ")
        commands = list(_Menu(router, menu, options).commands())
        if commands and not terse:
            lines.append(words)
        for command in commands:
            lines += [f"{words} {command}"] if terse else _wrapped(command)
    return "".join(f"{line}\r\n" for line in lines)


def _below(path: str, top: str) -> bool:
    return not top or path == top or path.startswith(f"{top}/")


def _header(router: Device) -> list[str]:
    moment = write_moment(router.clock.now(), iso=router.release.has_iso_dates)
    return [
        f"# {moment} by RouterOS {router.release.text}",
        f"# software id = {router.software_id}",
        "#",
        f"# model = {facts.BOARD}IN",
        f"# serial number = {router.serial}",
    ]


class _Menu:
    """What one menu writes."""

    def __init__(self, router: Device, menu: Menu, options: Mapping[str, str]) -> None:
        self._router = router
        self._menu = menu
        self._verbose = "verbose" in options
        self._only = options["ids"].split(",") if "ids" in options else None
        hidden = router.release.hides_secrets or "hide-sensitive" in options
        self._secrets = "show-sensitive" in options or not hidden

    def commands(self) -> Iterator[str]:
        menu, config = self._menu, self._router.config
        if menu.shape is Shape.SETTINGS:
            if words := self._words(config.of(menu.path), {}):
                yield f"set {words}"
            return
        factory = {row[".id"]: row for row in self._router.factory.rows(menu.path)}
        for row in config.rows(menu.path):
            if row.get("dynamic") == "yes" or row.get("builtin") == "yes":
                continue
            if self._only is not None and row[".id"] not in self._only:
                continue
            original = factory.get(row[".id"])
            if original is not None and menu.found_by:
                if words := self._words(row, original):
                    yield f"set {self._which(original)} {words}"
            elif words := self._words(row, {}):
                yield f"add {words}"

    def _which(self, row: Row) -> str:
        name = self._menu.found_by
        value = row[name]
        if name == "name" or (name == "topics" and self._menu.path != "system/logging"):
            return value
        return f"[ find {name}={quote(value)} ]"

    def _words(self, row: Row, original: Row) -> str:
        words = []
        for name in sorted(self._menu.properties):
            one = self._menu.properties[name]
            value = row.get(name, one.default if self._verbose or one.always else None)
            if one.read_only or value is None or self._is_left_out(one, value, original):
                continue
            if one.kind is Kind.DATE:
                value = self._date(value)
            words.append(f"{name}={quote(value)}")
        return " ".join(words)

    def _is_left_out(self, one: Property, value: str, original: Row) -> bool:
        if one.secret and not self._secrets:
            return True
        if self._verbose:
            return False
        if one.name in original:
            return original[one.name] == value
        return (value == one.default and not one.always) or (value == "" and one.default is None)

    def _date(self, value: str) -> str:
        if self._router.release.has_iso_dates:
            return value
        from runbook.lab.routeros.clock import read_date

        return write_date(read_date(value), iso=False)


def _wrapped(command: str) -> list[str]:
    """Long lines go on in the next, between words or within a string."""
    lines = []
    rest = command
    while len(rest) > WIDTH:
        at = _break(rest)
        if at <= len(INDENT):
            break
        lines.append(rest[:at] + "\\")
        rest = INDENT + rest[at:].replace(" ", "\\_", rest[at:].startswith(" "))
    return [*lines, rest]


def _break(text: str) -> int:
    """After a blank outside strings; else within one, but never within an escape."""
    quoted = False
    blank, inside = 0, 0
    for match in _PIECE.finditer(text, 0, WIDTH):
        piece = match.group()
        if piece == '"':
            quoted = not quoted
        elif quoted:
            inside = match.start()
        elif piece == " " and text[: match.start()].strip():
            blank = match.end()
    return blank if blank > len(INDENT) else inside
