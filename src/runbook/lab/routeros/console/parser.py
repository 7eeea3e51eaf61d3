"""From text to commands, checked against the menus: unknown names are errors with their place."""

from __future__ import annotations

from runbook.lab.routeros.console.expressions import Expressions
from runbook.lab.routeros.console.reader import ENDS_WORD, NAME, VARIABLE
from runbook.lab.routeros.console.tree import (
    Argument,
    Block,
    Code,
    Command,
    Literal,
    Value,
)
from runbook.lab.routeros.grammar import Signature, Tree

CODE = frozenset({"do", "else", "on-error", "command"})
"""Arguments of the language's commands that hold a block."""
TEXT = frozenset({"source", "on-event", "up-script", "down-script", "script"})
"""Arguments whose braces hold the text of a script."""
GLOBAL: dict[str, frozenset[str]] = {
    "if": frozenset({"do", "else"}),
    "do": frozenset({"command", "on-error", "while"}),
    "while": frozenset({"do"}),
    "for": frozenset({"from", "to", "step", "do"}),
    "foreach": frozenset({"in", "do"}),
    "execute": frozenset({"script", "file"}),
    "delay": frozenset({"delay-time"}),
    "put": frozenset({"message"}),
    "log": frozenset({"message"}),
    "local": frozenset({"do"}),
    "global": frozenset({"do"}),
    **{
        name: frozenset()
        for name in (
            "set", "error", "return", "len", "pick", "find", "toarray", "tostr", "tonum", "toip",
            "totime", "tobool", "typeof", "time", "nothing", "beep", "parse", "environment",
        )
    },
}  # fmt: skip
SEPARATORS = frozenset(" \t/\\")


class Parser(Expressions):
    def __init__(self, text: str, tree: Tree, menu: str = "", first_line: int = 1) -> None:
        super().__init__(text, first_line)
        self._tree = tree
        self.menu = menu
        self._last = 0

    def script(self) -> Block:
        return self.block("")

    def next_command(self) -> Command | None:
        """One at a time, for `import verbose=yes`, which executes each before it reads the next."""
        while True:
            self.skip_space()
            if not self.peek():
                return None
            self._last = self.at
            if found := self._command(""):
                return found

    def source_of_last(self) -> str:
        return self.text[self._last : self.at]

    def block(self, end: str) -> Block:
        opened = self.at - 1
        menu = self.menu
        found = Block()
        while True:
            self.skip_space()
            if not self.peek():
                if end:
                    what = {"]": "bracket", "}": "brace"}[end]
                    raise self.fail(f"expected closing {what}", opened)
                return found
            if end and self.peek() == end:
                self.at += 1
                self.menu = menu
                return found
            if command := self._command(end):
                found.commands.append(command)

    # -- one command -----------------------------------------------------------------------

    def _command(self, end: str) -> Command | None:
        start = self.at
        if self.peek() == "{":
            return self._nested(start)
        if self.peek() and self.peek() in '$"([':
            return self._evaluated(start)
        if self.peek() == ":":
            self.at += 1
            return self._global(self.name(), start + 1, end)
        path = self.menu
        if self.peek() == "/":
            self.at += 1
            path = ""
        return self._below(path, start, end)

    def _below(self, path: str, start: int, end: str) -> Command | None:
        first = path
        while True:
            self.skip_blank()
            if self._ends(end):
                self.menu = path
                return None
            if self.peek() == "{":
                self.menu, menu = path, self.menu
                command = self._nested(start)
                self.menu = menu
                return command
            at = self.at
            word = self.name()
            if word == "..":
                path = path.rpartition("/")[0]
                self._separator()
                continue
            if child := self._tree.child(path, word) if word else "":
                path = child
                self._separator()
                continue
            if name := self._tree.command(path, word):
                return self._arguments(path, name, at, end)
            if path == first and word in GLOBAL and word != "find":
                return self._global(word, at, end)
            if path == first and self._tree.command("", word) and path:
                return self._arguments("", word, at, end)
            raise self._unknown(word, at)

    def _separator(self) -> None:
        self.skip_blank()
        if self.peek() == "/" and self.peek(1) in NAME:
            self.at += 1

    def _unknown(self, word: str, at: int) -> Exception:
        if not word:
            return self.fail("syntax error", at)
        if self.peek() == "/":
            return self.fail("syntax error")
        return self.fail(f"bad command name {word}", at)

    def _ends(self, end: str) -> bool:
        return self.peek() in {"", "\n", ";"} or bool(end and self.peek() == end)

    def _nested(self, start: int) -> Command:
        self.at += 1
        line, column = self.place(start)
        code = Code(self.block("}"))
        return Command(":", "do", [Argument("", code, line, column)], None, line, column)

    def _evaluated(self, start: int) -> Command:
        line, column = self.place(start)
        argument = Argument("", self.value().value, line, column)
        return Command(":", "evaluate", [argument], None, line, column)

    # -- commands of menus -----------------------------------------------------------------

    def _arguments(self, path: str, name: str, at: int, end: str) -> Command:
        """What stands in brackets here belongs to the command's menu: `set [find …]`."""
        line, column = self.place(at)
        command = Command(path, name, [], None, line, column)
        takes = self._tree.commands[path][name]
        self.menu, menu = path or self.menu, self.menu
        while True:
            self.skip_blank()
            if self._ends(end):
                self.menu = menu
                return command
            if takes.where and self._where(command, name):
                continue
            self._argument(command, takes)

    def _where(self, command: Command, name: str) -> bool:
        """Whether a condition began here, and was read."""
        at = self.at
        word = self.name()
        if word == "where":
            self.skip_blank()
        elif name == "find" and (word or self.peek() in {"(", "!"}):
            self.at = at
        else:
            self.at = at
            return False
        if not self._ends("]"):
            command.where = self.condition("]")
        return True

    def _argument(self, command: Command, takes: Signature) -> None:
        at = self.at
        line, column = self.place(at)
        negated = self.peek() == "!"
        self.at += 1 if negated else 0
        name = self.name()
        if name and self.peek() == "=" and not negated:
            known = _known(name, takes.names | takes.flags)
            if not known:
                raise self.fail("expected end of command", at)
            self.at += 1
            command.arguments.append(Argument(known, self._text_or_value(known), line, column))
            return
        ended = self.peek() == "" or self.peek() in ENDS_WORD or self.peek() == "\\"
        if ended and (flag := _known(name, takes.names if negated else takes.flags)):
            value = Literal("" if negated else "yes")
            said = f"!{flag}" if negated else flag
            command.arguments.append(Argument(said, value, line, column))
            return
        self.at = at
        self._unnamed(command, takes)

    def _unnamed(self, command: Command, takes: Signature) -> None:
        at = self.at
        line, column = self.place(at)
        place = sum(1 for one in command.arguments if one.name in takes.unnamed)
        if place >= len(takes.unnamed):
            raise self.fail("expected end of command", at)
        found = self.value()
        if self.at == at:
            raise self.fail("syntax error", at)
        command.arguments.append(Argument(takes.unnamed[place], found.value, line, column))

    def _text_or_value(self, name: str) -> Value:
        if name in TEXT and self.peek() == "{":
            return Literal(self.raw_braces(), quoted=True)
        return self.value().value

    # -- commands of the language ----------------------------------------------------------

    def _global(self, name: str, at: int, end: str) -> Command:
        if name not in GLOBAL:
            if known := self._tree.command("", name):
                return self._arguments("", known, at, end)
            raise self.fail(f"bad command name {name}", at)
        line, column = self.place(at)
        command = Command(":", name, [], None, line, column)
        while True:
            self.skip_blank()
            if self._ends(end) or self.peek() in {"]", "}", ")"}:
                return command
            command.arguments.append(self._global_argument(name))

    def _global_argument(self, command: str) -> Argument:
        at = self.at
        line, column = self.place(at)
        name = self.name()
        if name and self.peek() == "=" and name in GLOBAL[command]:
            self.at += 1
            self.skip_blank()
            return Argument(name, self._code_or_value(name), line, column)
        self.at = at
        if self.peek() == "{" and command in {"do", "execute"}:
            return Argument("", self._code(), line, column)
        if command in {"local", "global", "set"} and self.peek() in VARIABLE:
            return Argument("", self.value().value, line, column)
        found = self.value().value
        if self.at == at:
            raise self.fail("syntax error", at)
        return Argument("", found, line, column)

    def _code_or_value(self, name: str) -> Value:
        if name in CODE and self.peek() == "{":
            return self._code()
        if name == "in" and self.peek() == "{":
            return self.array()
        return self.value().value

    def _code(self) -> Code:
        self.at += 1
        return Code(self.block("}"))


def _known(name: str, names: frozenset[str]) -> str:
    if name in names:
        return name
    found = [one for one in names if one.startswith(name)] if len(name) > 1 else []
    return found[0] if len(found) == 1 else ""
