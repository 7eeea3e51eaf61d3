"""One command of the API: which menu, which rows, what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from runbook.lab.routeros.device import Device
from runbook.lab.routeros.errors import Category, RouterError, no_such_item
from runbook.lab.routeros.facts import FEATURES
from runbook.lab.routeros.menu import Menu, Shape
from runbook.lab.routeros.net.queries import matches
from runbook.lab.routeros.net.wire import Request
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Row
from runbook.lab.routeros.values import Kind

NOT_PROPERTIES = frozenset(
    {
        ".proplist", ".id", "numbers", "detail", "stats", "once", "count-only", "without-paging",
        "follow", "follow-only", "interval", "where", "value-name", "terse", "from", "brief",
    }
)  # fmt: skip
ID_COMMANDS = frozenset({"set", "remove", "enable", "disable", "unset", "move", "comment"})
TEXTS = frozenset({"password", "passphrase"})
"""Of these, an empty value isn't a flag."""


@dataclass
class Answer:
    rows: list[Row] = field(default_factory=list)
    done: Row = field(default_factory=dict)
    """What `!done` holds."""


def execute(router: Device, session: Session, request: Request) -> Answer:
    path, name = _split(request.command)
    if special := router.commands.get((path, name)):
        session.need(*special.policies)
        reply = special.run(router, session, _flags(request.attributes))
        if reply.error:
            raise reply.error
        return Answer(reply.rows, {} if reply.ret is None else {"ret": reply.ret})
    menu = router.menus.get(path)
    if menu is None or name not in {*router.tree.commands.get(path, {}), "getall", "listen"}:
        known = path in router.tree.menus or menu is not None
        raise RouterError(
            "no such command" if known else "no such command prefix", Category.MISSING
        )
    with router.lock:
        return _on_menu(router, session, menu, name, request)


def _split(command: str) -> tuple[str, str]:
    path, _, name = command.strip("/").replace(" ", "/").rpartition("/")
    return path, name


def _flags(attributes: Row) -> Row:
    """Flags come as `=compact=`, or as yes and no."""
    found = {}
    for name, value in attributes.items():
        if value in {"no", "false"} and name not in FEATURES:
            continue
        found[name] = "yes" if value in {"", "true"} and name not in TEXTS else value
    return found


def _on_menu(router: Device, session: Session, menu: Menu, name: str, request: Request) -> Answer:
    operations = router.operations
    attributes = dict(request.attributes)
    if name in {"print", "getall", "get"}:
        session.need("read")
        return _read(router, menu, name, request)
    if name == "add":
        return Answer(done={"ret": operations.add(menu, attributes, session)})
    if name not in ID_COMMANDS:
        raise RouterError("no such command", Category.MISSING)
    which = _which(menu, attributes)
    match name:
        case "remove":
            operations.remove(menu, which, session)
        case "enable" | "disable":
            flag = {"disabled": "yes" if name == "disable" else "no"}
            operations.set(menu, which, flag, session)
        case "unset":
            operations.unset(menu, which, attributes.get("value-name", ""), session)
        case "move":
            destination = attributes.get("destination", "")
            operations.move(menu, which, destination, session)
        case _:
            _set(router, session, menu, which, attributes)
    return Answer()


def _set(router: Device, session: Session, menu: Menu, which: list[str], attributes: Row) -> None:
    for one in [name for name in attributes if name.startswith("!")]:
        del attributes[one]
        router.operations.unset(menu, which, one[1:], session)
    if attributes:
        router.operations.set(menu, which, attributes, session)


def _which(menu: Menu, attributes: Row) -> list[str]:
    said = attributes.pop(".id", None) or attributes.pop("numbers", None)
    if menu.shape is Shape.SETTINGS:
        return []
    if said is None:
        raise RouterError("missing =.id=", Category.MISSING) if menu.has_rows else no_such_item()
    return [one for one in said.split(",") if one]


def _read(router: Device, menu: Menu, name: str, request: Request) -> Answer:
    rows = router.operations.rows(menu)
    for one in request.attributes:
        if one not in NOT_PROPERTIES:
            raise RouterError(f"unknown parameter {one}", Category.ARGUMENT)
    if which := request.attributes.get(".id", request.attributes.get("numbers", "")):
        wanted = which.split(",")
        rows = [row for row in rows if row.get(".id") in wanted or row.get("name") in wanted]
        if not rows:
            raise no_such_item()
    rows = [row for row in rows if matches(request.queries, row)]
    if name == "get":
        value = rows[0].get(request.attributes.get("value-name", ""), "") if rows else ""
        return Answer(done={"ret": _said(menu, request.attributes.get("value-name", ""), value)})
    if "count-only" in request.attributes:
        return Answer(done={"ret": str(len(rows))})
    names = request.attributes.get(".proplist", "")
    return Answer([dict(_shown(menu, row, names)) for row in rows])


def _shown(menu: Menu, row: Row, names: str) -> Iterator[tuple[str, str]]:
    wanted = names.split(",") if names else list(row)
    for name in wanted:
        if name in row:
            yield name, _said(menu, name, row[name])


def _said(menu: Menu, name: str, value: str) -> str:
    """The API says true and false."""
    one = menu.properties.get(name)
    if one is not None and one.kind is Kind.BOOL:
        return {"yes": "true", "no": "false"}.get(value, value)
    return value
