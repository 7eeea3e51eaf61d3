"""Reading and changing the rows of menus, for the API, the console and scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from runbook.lab.routeros import facts, files, hooks
from runbook.lab.routeros.clock import read_date, write_date, write_moment
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.errors import Category, RouterError, failure, no_such_item
from runbook.lab.routeros.menu import Menu, Property, Shape
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Change, Row
from runbook.lab.routeros.values import Kind, read

INTERFACES = (
    "interface/ethernet",
    "interface/bridge",
    "interface/vlan",
    "interface/wireguard",
    "interface/wireless",
    "interface/wifi",
    "interface/bonding",
    "interface/eoip",
    "interface/gre",
    "interface/pppoe-client",
    "interface/vrrp",
)
TYPES = {"ethernet": "ether", "wireguard": "wg", "wireless": "wlan", "bonding": "bond",
         "eoip": "eoip", "gre": "gre-tunnel", "pppoe-client": "pppoe-out"}  # fmt: skip
ANY_INTERFACE = frozenset({"all", "none", "all-ethernet", "all-vlan", "all-wireless", ""})


class Operations:
    def __init__(self, router: Device) -> None:
        self._router = router

    # -- reading ---------------------------------------------------------------------------

    def rows(self, menu: Menu) -> list[Row]:
        """Each with its defaults and with what the router adds, as the router prints it."""
        if menu.path == "interface":
            return [self._as_interface(path, row) for path, row in self._interfaces()]
        if menu.path == "file":
            return files.rows(self._router)
        if menu.path in facts.PROVIDERS:
            return [dict(row) for row in facts.PROVIDERS[menu.path](self._router)]
        kept = (
            [self._router.config.of(menu.path)]
            if menu.shape is Shape.SETTINGS
            else self._router.config.rows(menu.path)
        )
        return [self._complete(menu, row) for row in kept]

    def interface_names(self) -> set[str]:
        return {row["name"] for _, row in self._interfaces()}

    def _interfaces(self) -> Iterator[tuple[str, Row]]:
        for path in INTERFACES:
            for row in self._router.config.rows(path):
                yield path, row

    def _as_interface(self, path: str, row: Row) -> Row:
        full = self._complete(self._router.menus[path], row)
        kind = path.rpartition("/")[2]
        mtu = full.get("mtu", "1500").replace("auto", "1500")
        made = {
            ".id": row[".id"],
            "name": row["name"],
            "type": TYPES.get(kind, kind),
            "mtu": mtu,
            "actual-mtu": mtu,
            **_only(full, "mac-address", "comment"),
            "running": full.get("running", "no"),
            "disabled": full["disabled"],
        }
        return {**made, **facts.counters(self._router, row["name"])}

    def _complete(self, menu: Menu, row: Row) -> Row:
        full: Row = {".id": row[".id"]} if ".id" in row else {}
        for name, one in menu.properties.items():
            if name in row:
                full[name] = self._shown(one, row[name])
            elif one.default is not None:
                full[name] = one.default
        return {**full, **facts.computed(self._router, menu, full)}

    def _shown(self, one: Property, value: str) -> str:
        if one.kind is Kind.DATE and not self._router.release.has_iso_dates:
            return write_date(read_date(value), iso=False)
        return value

    def find(self, menu: Menu, which: str) -> Row:
        """The row as it is kept, by its ID or its name."""
        for _, row in self._kept(menu):
            if row[".id"] == which or (which and self._name_of(menu, row) == which):
                return row
        raise no_such_item()

    def _kept(self, menu: Menu) -> Iterator[tuple[str, Row]]:
        if menu.path == "interface":
            yield from self._interfaces()
        else:
            for row in self._router.config.rows(menu.path):
                yield menu.path, row

    @staticmethod
    def _name_of(menu: Menu, row: Row) -> str:
        return row.get("name", "") if "name" in menu.properties else ""

    # -- changing --------------------------------------------------------------------------

    def add(self, menu: Menu, given: Mapping[str, str], session: Session) -> str:
        self._may_write(menu, session)
        if menu.path == "file":
            return files.add(self._router, given)
        if menu.shape is not Shape.LIST:
            raise RouterError("no such command", Category.MISSING)
        given = dict(given)
        before = given.pop("place-before", "")
        copied = given.pop("copy-from", "")
        start = {k: v for k, v in self.find(menu, copied).items() if k != ".id"} if copied else {}
        row = {**start, **self.checked(menu, given)}
        for one in menu.properties.values():
            if one.required and not row.get(one.name):
                raise RouterError(f"missing ={one.name}=", Category.MISSING)
        with self._recorded(menu, "added", session):
            config = self._router.config
            row = {".id": config.new_id(menu.ids or menu.path), **row}
            hooks.before_write(self._router, menu, row, None, session)
            self._refuse_twin(menu, row)
            rows = config.rows(menu.path)
            at = rows.index(self.find(menu, before)) if before else len(rows)
            rows.insert(at, row)
        return row[".id"]

    def set(
        self, menu: Menu, which: Iterable[str], given: Mapping[str, str], session: Session
    ) -> None:
        self._may_write(menu, session)
        if menu.path == "file":
            files.change(self._router, list(which), given)
            return
        if menu.path == "interface":
            self._set_interfaces(list(which), given, session)
            return
        values = self.checked(menu, given)
        with self._recorded(menu, "changed", session):
            if menu.shape is Shape.SETTINGS:
                row = {**self._router.config.of(menu.path), **values}
                hooks.before_write(self._router, menu, row, {}, session)
                self._router.config.settings[menu.path] = row
                return
            for old in [self.find(menu, one) for one in which]:
                row = {**old, **values}
                hooks.before_write(self._router, menu, row, old, session)
                self._refuse_twin(menu, row)
                self._router.config.replace(menu.path, old, row)
                self._rename(menu, old, row)

    def unset(self, menu: Menu, which: Iterable[str], name: str, session: Session) -> None:
        self._may_write(menu, session)
        if name not in menu.properties:
            raise RouterError(f"unknown parameter {name}", Category.ARGUMENT)
        with self._recorded(menu, "changed", session):
            for row in [self.find(menu, one) for one in which]:
                rest = {key: value for key, value in row.items() if key != name}
                self._router.config.replace(menu.path, row, rest)

    def remove(self, menu: Menu, which: Iterable[str], session: Session) -> None:
        self._may_write(menu, session)
        if menu.path == "file":
            files.remove(self._router, list(which))
            return
        if menu.shape is not Shape.LIST and menu.path != "interface":
            raise RouterError("no such command", Category.MISSING)
        with self._recorded(menu, "removed", session):
            known = {row[".id"]: (path, row) for path, row in self._kept(menu)}
            for one in which:
                which_id = one if one in known else self.find(menu, one)[".id"]
                path, row = known[which_id]
                hooks.before_remove(self._router, self._router.menus[path], row)
                rows = self._router.config.rows(path)
                rows[:] = [one for one in rows if one is not row]

    def move(self, menu: Menu, which: Iterable[str], before: str, session: Session) -> None:
        self._may_write(menu, session)
        if not menu.ordered:
            raise RouterError("no such command", Category.MISSING)
        with self._recorded(menu, "moved", session):
            rows = self._router.config.rows(menu.path)
            moved = [self.find(menu, one) for one in which]
            target = self.find(menu, before) if before else None
            rest = [row for row in rows if row not in moved]
            at = rest.index(target) if target in rest else len(rest)
            rows[:] = [*rest[:at], *moved, *rest[at:]]

    def checked(self, menu: Menu, given: Mapping[str, str], *, refer: bool = True) -> Row:
        """The values as they are kept: raises RouterError for those that the menu refuses."""
        found = {}
        for name, text in given.items():
            one = menu.properties.get(name)
            if one is None or one.read_only:
                raise RouterError(f"unknown parameter {name}", Category.ARGUMENT)
            found[name] = self._value(one, text, refer=refer)
        return found

    def _value(self, one: Property, text: str, *, refer: bool) -> str:
        if text == "" and one.kind not in {Kind.BOOL, Kind.INT}:
            return text
        if one.kind is Kind.INTERFACE and refer:
            bare = text.removeprefix("!")
            if bare not in self.interface_names() and bare not in ANY_INTERFACE:
                raise _no_match(one.name)
        if one.kind is Kind.DATE and ("/" in text) == self._router.release.has_iso_dates:
            raise RouterError(f"invalid value for argument {one.name}", Category.ARGUMENT)
        try:
            return read(one.kind, text, one.choices)
        except ValueError:
            if one.kind in {Kind.CHOICE, Kind.LIST}:
                raise _no_match(one.name) from None
            raise RouterError(f"invalid value for argument {one.name}", Category.ARGUMENT) from None

    def _set_interfaces(self, which: list[str], given: Mapping[str, str], session: Session) -> None:
        menu = self._router.menus["interface"]
        for one in which:
            row = self.find(menu, one)
            path = next(path for path, kept in self._interfaces() if kept is row)
            self.set(self._router.menus[path], [row[".id"]], given, session)

    def _may_write(self, menu: Menu, session: Session) -> None:
        if not menu.writable:
            raise RouterError("no such command", Category.MISSING)
        session.need(*menu.policies)

    def _refuse_twin(self, menu: Menu, row: Row) -> None:
        if not menu.unique:
            return
        *more, telling = menu.unique  # the last differs the most
        value = row.get(telling)
        paths = INTERFACES if menu.ids == "interface" else (menu.path,)
        for path in paths:
            rows = self._router.config.rows(path)
            alike = [other for other in rows if other.get(telling) == value]
            for other in alike:
                same = all(other.get(name) == row.get(name) for name in more)
                if same and other[".id"] != row[".id"]:
                    raise failure(menu.duplicate)

    def _rename(self, menu: Menu, old: Row, row: Row) -> None:
        """What refers to an interface follows its name."""
        was, now = old.get("name"), row.get("name", "")
        if menu.ids != "interface" or was == now:
            return
        for path, other in self._router.menus.items():
            names = [n for n, one in other.properties.items() if one.kind is Kind.INTERFACE]
            for one in list(self._router.config.rows(path)) if names else []:
                renamed = {
                    name: one[name].replace(was or "", now)
                    for name in names
                    if one.get(name, "").removeprefix("!") == was
                }
                if renamed:
                    self._router.config.replace(path, one, {**one, **renamed})

    @contextmanager
    def _recorded(self, menu: Menu, what: str, session: Session) -> Iterator[None]:
        """All of the change or none of it; then it's in the history."""
        router = self._router
        before = router.config.copy()
        try:
            yield
        except BaseException:
            router.state.config = before
            raise
        was, now = router.config.changed_since(before)
        if not was.tables and not was.settings:
            return
        action = f"{menu.path.rpartition('/')[2]} {what}"
        time = write_moment(router.clock.now(), iso=router.release.has_iso_dates)
        router.state.remember(Change(action, session.user, time, was, now))
        router.state.facts["last-config-change"] = time
        router.log("system,info", f"{action} by {session.user}")
        router.changed(*was.tables, *was.settings)


def _no_match(name: str) -> RouterError:
    return RouterError(f"input does not match any value of {name}", Category.ARGUMENT)


def _only(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names if name in row}
