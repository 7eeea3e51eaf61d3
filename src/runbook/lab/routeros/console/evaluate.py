"""What values and expressions come to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from runbook.lab.routeros.console.tree import (
    Array,
    Block,
    Code,
    Joined,
    Literal,
    Operation,
    Property,
    Substitution,
    Value,
    Variable,
)
from runbook.lab.routeros.errors import Category, RouterError
from runbook.lab.routeros.state import Row
from runbook.lab.routeros.values import order

_NUMBER = re.compile(r"-?\d+|0x[0-9a-fA-F]+")


class Scope:
    """The variables of a block, and of those around it."""

    def __init__(self, around: Scope | None, shared: dict[str, object]) -> None:
        self._around = around
        self._own: dict[str, object] = {}
        self.shared = shared

    def get(self, name: str) -> object:
        if name in self._own:
            return self._own[name]
        if self._around:
            return self._around.get(name)
        return self.shared.get(name)

    def declare(self, name: str, value: object) -> None:
        self._own[name] = value

    def set(self, name: str, value: object) -> None:
        if name in self._own:
            self._own[name] = value
        elif self._around:
            self._around.set(name, value)
        else:
            self.shared[name] = value

    def inner(self) -> Scope:
        return Scope(self, self.shared)


def text(value: object) -> str:
    """As `:put` and arguments write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ";".join(text(one) for one in value)
    if isinstance(value, dict):
        return ";".join(f"{key}={text(one)}" for key, one in value.items())
    return str(value)


def argument(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ",".join(text(one) for one in value)
    return text(value)


def truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "yes"}:
        return True
    if isinstance(value, str) and value in {"false", "no", ""}:
        return False
    if value is None:
        return False
    raise RouterError("conditional not boolean", Category.SCRIPT)


class Evaluator:
    """`call` executes the commands in brackets and says what the last one returned."""

    def __init__(self, call: Callable[[Block, Scope], object]) -> None:
        self._call = call

    def value(  # noqa: PLR0911 - one for each kind
        self, tree: Value, scope: Scope, row: Row | None = None
    ) -> object:
        match tree:
            case Literal(text=said, quoted=quoted):
                return said if quoted else _plain(said)
            case Joined(parts=parts):
                return self._joined(parts, scope, row)
            case Variable(name=name):
                return scope.get(name)
            case Substitution(block=block) | Code(block=block):
                return self._call(block, scope)
            case Array(items=items):
                return self._array(items, scope)
            case Property(name=name):
                return _property(row or {}, name)
            case Operation(operator=operator, operands=operands):
                return self._operation(operator, operands, scope, row)

    def _joined(self, parts: list[Value], scope: Scope, row: Row | None) -> object:
        return "".join(
            one.text if isinstance(one, Literal) else text(self.value(one, scope, row))
            for one in parts
        )

    def _array(self, items: list[tuple[Value | None, Value]], scope: Scope) -> object:
        if items and all(key is not None for key, _ in items):
            return {
                text(self.value(key, scope)): self.value(value, scope)
                for key, value in items
                if key is not None
            }
        return [self.value(value, scope) for _, value in items]

    def _operation(
        self, operator: str, operands: list[Value], scope: Scope, row: Row | None
    ) -> object:
        first = self.value(operands[0], scope, row)
        if len(operands) == 1:
            return -number(first) if operator == "-" else not truth(first)
        if operator == "&&":
            return truth(first) and truth(self.value(operands[1], scope, row))
        if operator == "||":
            return truth(first) or truth(self.value(operands[1], scope, row))
        return OPERATORS[operator](first, self.value(operands[1], scope, row))

    def holds(self, condition: Value | None, row: Row, scope: Scope) -> bool:
        return condition is None or truth(self.value(condition, scope, row))


def _plain(said: str) -> object:
    if _NUMBER.fullmatch(said):
        return said
    return {"true": True, "false": False}.get(said, said)


def _property(row: Mapping[str, str], name: str) -> object:
    value = row.get(name)
    if value in {"yes", "no"}:
        return value == "yes"
    return value


def number(value: object) -> int:
    if isinstance(value, bool):
        return int(value)
    try:
        return int(text(value), 0)
    except ValueError:
        raise RouterError("Script Error: cannot compute", Category.SCRIPT) from None


def _same(left: object, right: object) -> bool:
    return _comparable(left) == _comparable(right)


def _comparable(value: object) -> str:
    said = text(value)
    return {"yes": "true", "no": "false"}.get(said, said)


def _less(left: object, right: object) -> bool:
    return order(text(left)) < order(text(right))


def _joined_lists(left: object, right: object) -> list[object]:
    return [
        *(left if isinstance(left, list) else [left]),
        *(right if isinstance(right, list) else [right]),
    ]


def _concatenated(left: object, right: object) -> object:
    if isinstance(left, list):
        return [*left, right]
    return text(left) + text(right)


def _pick(left: object, right: object) -> object:
    if isinstance(left, dict):
        return left.get(text(right))
    if isinstance(left, list):
        index = number(right)
        return left[index] if 0 <= index < len(left) else None
    return None


def _divided(left: object, right: object) -> int:
    if number(right) == 0:
        raise RouterError("division by zero", Category.SCRIPT)
    return number(left) // number(right)


def _matches(left: object, right: object) -> bool:
    try:
        return bool(re.search(text(right), text(left)))
    except re.error:
        raise RouterError("invalid regular expression", Category.SCRIPT) from None


OPERATORS: dict[str, Callable[[object, object], object]] = {
    "=": _same,
    "!=": lambda a, b: not _same(a, b),
    "<": _less,
    ">": lambda a, b: _less(b, a),
    "<=": lambda a, b: not _less(b, a),
    ">=": lambda a, b: not _less(a, b),
    "~": _matches,
    "in": lambda a, b: a in b if isinstance(b, list) else text(a) in text(b),
    ",": _joined_lists,
    ".": _concatenated,
    "+": lambda a, b: number(a) + number(b),
    "-": lambda a, b: number(a) - number(b),
    "*": lambda a, b: number(a) * number(b),
    "/": _divided,
    "%": lambda a, b: number(a) % number(b),
    "->": _pick,
}
