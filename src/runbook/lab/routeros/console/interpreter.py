"""Executes what the parser has read."""

from __future__ import annotations

from runbook.lab.routeros.console import printing
from runbook.lab.routeros.console.builtins import BUILTINS
from runbook.lab.routeros.console.evaluate import Evaluator, Scope, argument, text
from runbook.lab.routeros.console.parser import Parser
from runbook.lab.routeros.console.tree import Block, Command
from runbook.lab.routeros.device import Device
from runbook.lab.routeros.errors import Category, RouterError, no_such_item
from runbook.lab.routeros.menu import Menu, Shape
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Row

DEPTH = 50


class Interpreter:
    """What it prints gathers in `output`, one line each."""

    def __init__(self, router: Device, session: Session) -> None:
        self.router = router
        self.session = session
        self.output: list[str] = []
        self.evaluator = Evaluator(self.call)
        self.scope = Scope(None, session.values)
        self._depth = 0

    def run_text(self, source: str) -> object:
        """Parse all of it, then execute: raises RouterError."""
        return self.run(Parser(source, self.router.tree).script(), self.scope)

    def run(self, block: Block, scope: Scope) -> object:
        result: object = None
        self._depth += 1
        if self._depth > DEPTH:
            raise RouterError("maximum recursion depth exceeded", Category.SCRIPT)
        try:
            for command in block.commands:
                if self.session.cancelled.is_set():
                    raise RouterError("interrupted", Category.INTERRUPTED)
                result = self.execute(command, scope)
        finally:
            self._depth -= 1
        return result

    def call(self, block: Block, scope: Scope) -> object:
        """Brackets: what the last command returns isn't printed."""
        before, self.output = self.output, []
        try:
            result: object = None
            for command in block.commands:
                result = self.execute(command, scope, bracketed=True)
        finally:
            self.output = before
        return result

    def execute(self, command: Command, scope: Scope, *, bracketed: bool = False) -> object:
        if command.path == ":":
            return BUILTINS[command.name](self, command, scope)
        try:
            return self._execute(command, scope, bracketed=bracketed)
        except RouterError as error:
            error.at = error.at or (f"/{command.path}/{command.name}", command.line)
            raise

    def _execute(self, command: Command, scope: Scope, *, bracketed: bool) -> object:
        given = {one.name: self.evaluator.value(one.value, scope) for one in command.arguments}
        if (command.path, command.name) in self.router.commands:
            if command.where is not None:
                rows = self._matching(self.router.menus[command.path], command, scope)
                given["ids"] = [row[".id"] for row in rows]
            return self._special(command, given)
        with self.router.lock:
            return self._on_menu(command, given, scope, bracketed=bracketed)

    def _special(self, command: Command, given: dict[str, object]) -> object:
        special = self.router.commands[command.path, command.name]
        self.session.need(*special.policies)
        values = {name: argument(value) for name, value in given.items()}
        reply = special.run(self.router, self.session, values)
        self.output += reply.text.splitlines()
        if reply.error:
            raise reply.error
        return reply.ret

    # -- commands that menus have ----------------------------------------------------------

    def _on_menu(
        self, command: Command, given: dict[str, object], scope: Scope, *, bracketed: bool
    ) -> object:
        menu = self.router.menus[command.path]
        name = command.name
        if name in {"print", "get", "find"}:
            self.session.need("read")
        match name:
            case "print":
                return self._print(menu, command, given, scope, bracketed=bracketed)
            case "find":
                return [row[".id"] for row in self._matching(menu, command, scope)]
            case "get":
                return self._get(menu, given)
            case "add":
                values = {key: argument(value) for key, value in given.items()}
                return self.router.operations.add(menu, self._placed(menu, values), self.session)
            case _:
                self._change(menu, name, given)
                return None

    def _change(self, menu: Menu, name: str, given: dict[str, object]) -> None:
        operations = self.router.operations
        numbers = given.pop("numbers", None)
        which = self._which(menu, numbers)
        values = {key: argument(value) for key, value in given.items()}
        match name:
            case "remove":
                operations.remove(menu, which, self.session)
            case "enable" | "disable":
                disabled = {"disabled": "yes" if name == "disable" else "no"}
                operations.set(menu, which, disabled, self.session)
            case "move":
                before = (
                    self._which(menu, given["destination"])[0] if "destination" in given else ""
                )
                operations.move(menu, which, before, self.session)
            case "unset":
                operations.unset(menu, which, values.get("value-name", ""), self.session)
            case "set" | "comment":
                self._set(menu, which, values)
            case _:
                raise RouterError(f"bad command name {name}")

    def _set(self, menu: Menu, which: list[str], values: dict[str, str]) -> None:
        for name in [one for one in values if one.startswith("!")]:
            del values[name]
            self.router.operations.unset(menu, which, name[1:], self.session)
        if values:
            self.router.operations.set(menu, which, values, self.session)

    def _placed(self, menu: Menu, values: dict[str, str]) -> dict[str, str]:
        before = values.get("place-before")
        if before:
            values["place-before"] = self._which(menu, before)[0]
        for name in [one for one in values if one.startswith("!")]:
            del values[name]
        return values

    def _which(self, menu: Menu, numbers: object) -> list[str]:
        """IDs from what names rows: IDs, names, or numbers as `print` shows them."""
        if numbers is None:
            if menu.has_rows:
                raise RouterError("missing value(s) of argument(s) numbers", Category.MISSING)
            return []
        said = numbers if isinstance(numbers, list) else text(numbers).split(",")
        rows = self.router.operations.rows(menu)
        known = {
            row[key]: row[".id"]
            for key in ("default-name", "name", ".id")
            for row in reversed(rows)
            if key in row
        }
        return [self._one(rows, known, text(one)) for one in said if text(one)]

    @staticmethod
    def _one(rows: list[Row], known: dict[str, str], said: str) -> str:
        if said in known:
            return known[said]
        if said.isdigit() and int(said) < len(rows):
            return rows[int(said)][".id"]
        raise no_such_item()

    def _matching(self, menu: Menu, command: Command, scope: Scope) -> list[Row]:
        rows = self.router.operations.rows(menu)
        inner = scope.inner()
        return [row for row in rows if self.evaluator.holds(command.where, row, inner)]

    def _get(self, menu: Menu, given: dict[str, object]) -> object:
        rows = self.router.operations.rows(menu)
        numbers, name = given.get("numbers"), given.get("value-name")
        if menu.shape in {Shape.SETTINGS, Shape.FACT}:
            row, name = rows[0], text(name if name is not None else numbers)
        else:
            which = self._which(menu, numbers)
            if not which:
                raise no_such_item()
            row, name = next(one for one in rows if one[".id"] == which[0]), text(name)
        if not name:
            return {key: _typed(value) for key, value in row.items()}
        if name not in menu.properties and name not in row:
            raise RouterError("input does not match any value of value-name", Category.ARGUMENT)
        return _typed(row.get(name, ""))

    def _print(
        self,
        menu: Menu,
        command: Command,
        given: dict[str, object],
        scope: Scope,
        *,
        bracketed: bool,
    ) -> object:
        rows = self._matching(menu, command, scope)
        if "numbers" in given:
            which = self._which(menu, given["numbers"])
            rows = [row for row in rows if row.get(".id") in which]
        if "count-only" in given:
            if not bracketed:
                self.output.append(str(len(rows)))
            return len(rows)
        if "as-value" in given:
            values: list[object] = [
                {key: _typed(value) for key, value in row.items()} for row in rows
            ]
            settings = menu.shape in {Shape.SETTINGS, Shape.FACT}
            return values[0] if settings else values
        names = argument(given.get("proplist", given.get(".proplist", "")))
        shown = printing.render(menu, rows, self.router.release, set(given), names)
        if "file" in given:
            from runbook.lab.routeros import files

            files.write(self.router, f"{argument(given['file'])}.txt", "\r\n".join(shown).encode())
        else:
            self.output += shown
        return None


def _typed(value: str) -> object:
    return {"yes": True, "no": False}.get(value, value)
